// The system's own forms: which there are, and each of them with its history.
#include <fmt/format.h>

#include "lib/form/forms.h"
#include "wwwd/form_visit.h"
#include "wwwd/list_visit.h"
#include "wwwd/pages.h"

namespace wwwd {
namespace {

using namespace po::messages;

struct Listed {
  std::string_view form, about;
};
constexpr Listed kForms[] = {
    {"system-configuration", "Limits on messages, mailboxes and sessions"},
    {"system-security", "Who may send anywhere, log in, use these pages, and finger"},
    {"mail-routing", "Local domains, relay domains, and where other mail is sent"},
    {"channel-aliases", "Addresses that stand for other addresses"},
    {"mail-queue", "How long mail is tried, how much at once, and the outgoing brake"},
    {"default-account", "What the form of a new account is filled with"},
    {"greeting", "What a new account finds in its mailbox"},
    {"system-information", "Version, directories, ports and modules"},
};

const form::Form* settings_form(std::string_view name) {
  for (const Listed& listed : kForms)
    if (listed.form == name) return form::find_form(name);
  return nullptr;
}

FormPlace place_of(const form::Form& form) {
  FormPlace place;
  place.form = &form;
  place.path = "/settings/" + std::string(form.name);
  place.place = "/settings";
  place.crumbs = {{"/settings", "Settings"}};
  place.above = [path = place.path](Html& h, const form::Values&) {
    h.open("p", {{"class", "beside"}}).link(path + "/history", "History of this form").close("p");
  };
  return place;
}

void write_card(Html& h, std::string_view name, std::string_view title, std::string_view about) {
  h.open("li").open("a", {{"href", fmt::format("/settings/{}", name)}});
  h.element("span", {{"class", "card-title"}}, title).element("span", {{"class", "card-text"}}, about);
  h.close("a").close("li");
}

void show_index(const VisitPtr& visit) {
  Page page;
  page.title = "Settings";
  page.place = "/settings";
  Html& h = page.body;
  h.open("ul", {{"class", "cards"}});
  for (const Listed& listed : kForms)
    if (const form::Form* form = form::find_form(listed.form))
      write_card(h, form->name, form->title, listed.about);
  write_card(h, "relay-passwords", "Relay passwords",
             "For hosts that mail is sent on to and that want a log-in");
  h.close("ul");
  visit->show(std::move(page));
}

/// A page function for the form that the path names.
template <class F>
PageFunction for_form(F act) {
  return [act](const VisitPtr& visit) {
    const form::Form* form = settings_form(visit->part(0));
    if (form == nullptr) return visit->not_found();
    act(visit, place_of(*form));
  };
}

}  // namespace

void add_settings_pages(Routes& routes) {
  routes.add({.pattern = "/settings", .get = show_index});
  routes.add({.pattern = "/settings/*",
              .get = for_form([](const VisitPtr& v, const FormPlace& p) { show_form(v, p); }),
              .post = for_form([](const VisitPtr& v, const FormPlace& p) { submit_form(v, p); }),
              .resumes = true});
  routes.add({.pattern = "/settings/*/history", .get = for_form(show_history)});
  routes.add({.pattern = "/settings/*/undo",
              .get = for_form([](const VisitPtr& v, const FormPlace& p) { v->see_other(p.path); }),
              .post = for_form(undo_change)});
  routes.add(
      {.pattern = "/settings/*/list/*",
       .get = for_form([](const VisitPtr& v, const FormPlace& p) { show_long_list(v, p, v->part(1)); }),
       .post = for_form([](const VisitPtr& v, const FormPlace& p) { edit_long_list(v, p, v->part(1)); })});
}

}  // namespace wwwd
