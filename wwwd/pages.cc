#include "wwwd/pages.h"

namespace wwwd {

void add_all_pages(Routes& routes) {
  add_own_pages(routes);
  add_account_pages(routes);
  add_access_pages(routes);
  add_settings_pages(routes);
}

}  // namespace wwwd
