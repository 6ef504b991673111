// The page files, by what they add to the table of routes.
#pragma once

#include "wwwd/routes.h"

namespace wwwd {

void add_own_pages(Routes& routes);       ///< an account's own: own_pages.cc
void add_account_pages(Routes& routes);   ///< list, Account Data, removal: account_pages.cc
void add_access_pages(Routes& routes);    ///< application passwords, sign-ins: access_pages.cc
void add_settings_pages(Routes& routes);  ///< the system's forms: settings_pages.cc

void add_all_pages(Routes& routes);

}  // namespace wwwd
