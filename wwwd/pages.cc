#include "wwwd/pages.h"

namespace wwwd {

void add_all_pages(Routes& routes, const std::shared_ptr<SetupDesk>& desk) {
  add_front_page(routes);
  add_own_pages(routes);
  add_account_pages(routes);
  add_access_pages(routes);
  add_settings_pages(routes);
  add_relay_page(routes);
  add_queue_pages(routes);
  add_story_page(routes);
  add_route_page(routes);
  add_import_pages(routes);
  if (desk) add_setup_page(routes, desk);
}

}  // namespace wwwd
