// The system's own forms: which there are, each of them with its history, and lists that are too long for one
// page.
#include <fmt/format.h>

#include <algorithm>

#include "lib/form/forms.h"
#include "lib/text.h"
#include "wwwd/form_page.h"
#include "wwwd/form_visit.h"
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

void show_index(const VisitPtr& visit) {
  Page page;
  page.title = "Settings";
  page.place = "/settings";
  Html& h = page.body;
  h.open("ul", {{"class", "cards"}});
  for (const Listed& listed : kForms) {
    const form::Form* form = form::find_form(listed.form);
    if (form == nullptr) continue;
    h.open("li").open("a", {{"href", fmt::format("/settings/{}", form->name)}});
    h.element("span", {{"class", "card-title"}}, form->title);
    h.element("span", {{"class", "card-text"}}, listed.about);
    h.close("a").close("li");
  }
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

// ---- one long list

constexpr std::size_t kMostMatches = 100;

struct ListPlace {
  FormPlace form;
  const form::Field* field = nullptr;
  [[nodiscard]] std::string path() const { return form.path + "/list/" + std::string(field->name); }
};

void with_list(const VisitPtr& visit, const ListPlace& place,
               std::function<void(std::uint64_t revision, std::vector<std::string>&)> then) {
  WebShowForm question;
  question.form = place.form.form->name;
  visit->ask<WebShowForm>(std::move(question), [visit, place, then = std::move(then)](WebForm& form) {
    if (form.kind != po::Kind::kDone) return visit->refuse(503, "Not possible just now", form.text);
    for (WebField& field : form.values)
      if (field.name == place.field->name) return then(form.revision, field.values);
    std::vector<std::string> none;
    then(form.revision, none);
  });
}

std::string entries_text(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
}

void write_matches(Html& h, const Visit& visit, const ListPlace& place,
                   const std::vector<std::string>& values, std::uint64_t revision) {
  std::string find(visit.query("find"));
  std::string pattern = find.find_first_of("*?") == std::string::npos ? "*" + find + "*" : find;
  std::vector<const std::string*> matches;
  std::size_t count = 0;
  for (const std::string& value : values) {
    if (!find.empty() && !po::matches_wildcards(pattern, value)) continue;
    if (++count <= kMostMatches) matches.push_back(&value);
  }
  h.element("h2", find.empty() ? "Entries" : "Entries that match");
  h.element("p", {{"class", "hint"}},
            count > matches.size() ? fmt::format("The first {} of {}: search for the others", matches.size(),
                                                 entries_text(count))
                                   : entries_text(count));
  if (matches.empty()) return;
  visit.open_form(h, place.path(), {{"revision", std::to_string(revision)}});
  h.open("ul", {{"class", "picks"}});
  for (const std::string* value : matches)
    h.open("li")
        .open("label")
        .empty("input", {{"type", "checkbox"}, {"name", "remove"}, {"value", *value}})
        .text(" " + *value)
        .close("label")
        .close("li");
  h.close("ul");
  h.element("button", {{"type", "submit"}, {"class", "danger"}}, "Remove those that are ticked")
      .close("form");
}

void show_list_page(const VisitPtr& visit, const ListPlace& place, std::uint64_t revision,
                    const std::vector<std::string>& values, std::vector<Notice> notices, int status) {
  Page page;
  page.title = field_label(place.field->name);
  page.place = "/settings";
  page.crumbs = {{"/settings", "Settings"}, {place.form.path, std::string(place.form.form->title)}};
  page.notices = std::move(notices);
  page.status = status;
  Html& h = page.body;
  h.element("p", {{"class", "lead"}}, place.field->help);
  h.open("form", {{"method", "get"}, {"action", place.path()}, {"role", "search"}, {"class", "search"}});
  h.element("label", {{"for", "find"}}, fmt::format("Search {}", entries_text(values.size())));
  h.empty("input", {{"type", "search"}, {"id", "find"}, {"name", "find"}, {"value", visit->query("find")}});
  h.element("button", {{"type", "submit"}}, "Search").close("form");
  write_matches(h, *visit, place, values, revision);
  h.element("h2", "Add entries");
  visit->open_form(h, place.path(), {{"revision", std::to_string(revision)}});
  h.element("label", {{"for", "add"}}, "New entries, one per line");
  h.element("textarea", {{"id", "add"}, {"name", "add"}, {"rows", 4}, {"class", "entries"}},
            "\n" + std::string(visit->field("add")));
  h.element("button", {{"type", "submit"}, {"class", "primary"}}, "Add").close("form");
  visit->show(std::move(page));
}

void show_list(const VisitPtr& visit, const ListPlace& place) {
  with_change_notice(visit, place.form, [visit, place](std::vector<Notice> notices) {
    with_list(visit, place,
              [visit, place, notices](std::uint64_t revision, std::vector<std::string>& values) {
                show_list_page(visit, place, revision, values, notices, 200);
              });
  });
}

void edit_list(const VisitPtr& visit, const ListPlace& place) {
  with_list(visit, place, [visit, place](std::uint64_t revision, std::vector<std::string>& values) {
    std::vector<std::string_view> gone = visit->request().form.all("remove");
    std::erase_if(values,
                  [&](const std::string& v) { return std::find(gone.begin(), gone.end(), v) != gone.end(); });
    Parameters added;
    added.add(std::string(place.field->name), std::string(visit->field("add")));
    form::Values posted = posted_values(*place.form.form, form::Who::kPostmaster, added);
    const std::vector<std::string>& more = posted[std::string(place.field->name)];
    values.insert(values.end(), more.begin(), more.end());
    WebSubmitForm question;
    question.what = WebSubmit::kSet;
    question.form = place.form.form->name;
    question.revision = revision;
    question.values = {{std::string(place.field->name), values}};
    visit->ask<WebSubmitForm>(std::move(question), [visit, place, revision, values](WebDone& done) {
      if (done.kind == po::Kind::kDone)
        return visit->see_other(fmt::format("{}?changed={}", place.path(), done.revision));
      if (done.conflict)
        return visit->see_other(
            place.path(), "Nothing was changed: somebody else changed the list at this moment. Do it again.",
            Tone::kWarning);
      if (done.problems.empty()) return visit->refuse(503, "Not possible just now", done.text);
      FormView view{.form = place.form.form, .values = {}, .problems = done.problems, .path = {}};
      Notice notice{Tone::kProblem, "Nothing was changed: this is not right yet", {}};
      notice.more.open("ul");
      for (const WebProblem& problem : done.problems)
        notice.more.element("li", problem.value + ": " + problem.rule);
      notice.more.close("ul");
      std::vector<Notice> notices;
      notices.push_back(std::move(notice));
      show_list_page(visit, place, revision, values, std::move(notices), 422);
    });
  });
}

template <class F>
PageFunction for_list(F act) {
  return [act](const VisitPtr& visit) {
    const form::Form* form = settings_form(visit->part(0));
    const form::Field* field = form == nullptr ? nullptr : form->find(visit->part(1));
    if (field == nullptr || !field->list()) return visit->not_found();
    act(visit, ListPlace{place_of(*form), field});
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
  routes.add({.pattern = "/settings/*/list/*", .get = for_list(show_list), .post = for_list(edit_list)});
}

}  // namespace wwwd
