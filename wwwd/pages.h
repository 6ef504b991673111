// The page files, by what they add to the table of routes.
#pragma once

#include <memory>

#include "wwwd/routes.h"

namespace wwwd {

class SetupDesk;

void add_own_pages(Routes& routes);       ///< an account's own: own_pages.cc
void add_account_pages(Routes& routes);   ///< list, Account Data, removal: account_pages.cc
void add_access_pages(Routes& routes);    ///< application passwords, sign-ins: access_pages.cc
void add_settings_pages(Routes& routes);  ///< the system's forms: settings_pages.cc
void add_relay_page(Routes& routes);      ///< passwords for other hosts: relay_page.cc

void add_front_page(Routes& routes);    ///< whether all is well: front_page.cc
void add_queue_pages(Routes& routes);   ///< what waits: queue_page.cc and its neighbours
void add_story_page(Routes& routes);    ///< what became of messages: story_page.cc
void add_route_page(Routes& routes);    ///< routing rehearsal: route_page.cc
void add_import_pages(Routes& routes);  ///< many forms at once: import_page.cc
void add_setup_page(Routes& routes, std::shared_ptr<SetupDesk> desk);  ///< DNS, certificate: setup_page.cc

void add_all_pages(Routes& routes, const std::shared_ptr<SetupDesk>& desk);

}  // namespace wwwd
