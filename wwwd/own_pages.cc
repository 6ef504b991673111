// What an account may see and change of itself: Individual Account Information and its history. Application
// passwords and sign-ins are in access_pages.cc.
#include "lib/form/forms.h"
#include "wwwd/form_visit.h"
#include "wwwd/list_visit.h"
#include "wwwd/pages.h"

namespace wwwd {
namespace {

FormPlace own_place(const Visit& visit) {
  FormPlace place;
  place.form = &form::individual_account_information();
  place.subject = visit.viewer().account;
  place.who = form::Who::kOwner;
  place.path = "/account";
  place.place = "/account";
  place.title = "Individual Account Information";
  return place;
}

void own_history(const VisitPtr& visit) {
  FormPlace place = own_place(*visit);
  place.place = "/account/history";
  show_history(visit, place);
}

}  // namespace

void add_own_pages(Routes& routes) {
  routes.add({.pattern = "/account",
              .get = [](const VisitPtr& v) { show_form(v, own_place(*v)); },
              .post = [](const VisitPtr& v) { submit_form(v, own_place(*v)); },
              .resumes = true});
  routes.add({.pattern = "/account/history", .get = own_history});
  routes.add({.pattern = "/account/list/*",
              .get = [](const VisitPtr& v) { show_long_list(v, own_place(*v), v->part(0)); },
              .post = [](const VisitPtr& v) { edit_long_list(v, own_place(*v), v->part(0)); }});
  routes.add({.pattern = "/account/undo",
              .get = [](const VisitPtr& v) { v->see_other("/account"); },
              .post = [](const VisitPtr& v) { undo_change(v, own_place(*v)); }});
}

}  // namespace wwwd
