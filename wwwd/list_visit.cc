#include "wwwd/list_visit.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lib/text.h"
#include "wwwd/form_page.h"

namespace wwwd {

using namespace po::messages;
using List = std::vector<std::string>;

namespace {

constexpr std::size_t kMostMatches = 100;
constexpr std::size_t kMostMatchOctets = 16 * 1024;

struct ListPlace {
  FormPlace form;
  const form::Field* field = nullptr;
  [[nodiscard]] std::string path() const { return form.path + "/list/" + std::string(field->name); }
};

struct Listed {
  std::uint64_t revision = 0;
  List values;
  std::string title;  ///< of the form
};

/// Calls back with the list as it is now.
void with_list(const VisitPtr& visit, const FormPlace& form, std::string_view name,
               std::function<void(const ListPlace&, Listed)> then) {
  const form::Field* field = form.form->find(name);
  if (field == nullptr || !field->list() || field->type == form::Type::kReadOnly) return visit->not_found();
  with_form(visit, form.form->name, form.subject,
            [place = ListPlace{form, field}, then = std::move(then)](WebForm& now) {
              form::Values values = to_values(now.values);
              Listed listed{now.revision, {}, form_title(place.form, values)};
              listed.values = std::move(values[std::string(place.field->name)]);
              then(place, std::move(listed));
            });
}

std::string entries_text(std::size_t count) {
  return fmt::format("{} {}", count, count == 1 ? "entry" : "entries");
}

struct Matches {
  std::vector<const std::string*> shown;
  std::size_t count = 0;
};

/// Without a wildcard, what is anywhere in an entry.
Matches find_matches(const List& values, std::string_view find) {
  std::string pattern =
      find.find_first_of("*?") == std::string_view::npos ? fmt::format("*{}*", find) : std::string(find);
  Matches out;
  std::size_t octets = 0;
  for (const std::string& value : values) {
    if (!find.empty() && !po::matches_wildcards(pattern, value)) continue;
    ++out.count;
    octets += value.size();
    if (out.shown.size() < kMostMatches && octets <= kMostMatchOctets) out.shown.push_back(&value);
  }
  return out;
}

void write_matches(Html& h, const Visit& visit, const ListPlace& place, const List& values) {
  std::string_view find = visit.query("find").substr(0, 500);
  Matches matches = find_matches(values, find);
  h.element("h2", find.empty() ? "Entries" : "Entries that match");
  h.element("p", {{"class", "hint"}},
            matches.count > matches.shown.size()
                ? fmt::format("The first {} of {}: search for the others", matches.shown.size(),
                              entries_text(matches.count))
                : entries_text(matches.count));
  if (matches.shown.empty()) return;
  visit.open_form(h, place.path());
  h.open("ul", {{"class", "picks"}});
  for (const std::string* value : matches.shown) {
    h.open("li").open("label");
    h.empty("input", {{"type", "checkbox"}, {"name", "remove"}, {"value", *value}});
    h.text(" " + *value).close("label").close("li");
  }
  h.close("ul");
  h.element("button", {{"type", "submit"}, {"class", "danger"}}, "Remove those that are ticked")
      .close("form");
}

void write_search(Html& h, const Visit& visit, const ListPlace& place, std::size_t count) {
  h.open("form", {{"method", "get"}, {"action", place.path()}, {"role", "search"}, {"class", "search"}});
  h.element("label", {{"for", "find"}}, fmt::format("Search {}", entries_text(count)));
  h.empty("input", {{"type", "search"}, {"id", "find"}, {"name", "find"}, {"value", visit.query("find")}});
  h.element("button", {{"type", "submit"}}, "Search").close("form");
}

void write_adding(Html& h, const Visit& visit, const ListPlace& place) {
  h.element("h2", "Add entries");
  visit.open_form(h, place.path());
  h.element("label", {{"for", "add"}}, "New entries, one per line");
  h.element("textarea", {{"id", "add"}, {"name", "add"}, {"rows", 4}, {"class", "entries"}},
            "\n" + std::string(visit.field("add").substr(0, kMostListed)));
  h.element("button", {{"type", "submit"}, {"class", "primary"}}, "Add").close("form");
}

void show(const VisitPtr& visit, const ListPlace& place, const Listed& listed, std::vector<Notice> notices,
          int status) {
  Page page;
  page.title = field_label(place.field->name);
  page.place = place.form.place;
  page.crumbs = place.form.crumbs;
  page.crumbs.push_back({place.form.path, listed.title});
  page.notices = std::move(notices);
  page.status = status;
  page.body.element("p", {{"class", "lead"}}, place.field->help);
  write_search(page.body, *visit, place, listed.values.size());
  write_matches(page.body, *visit, place, listed.values);
  write_adding(page.body, *visit, place);
  visit->show(std::move(page));
}

/// The list with what the form that was sent takes away and adds.
List edited(const Visit& visit, const ListPlace& place, List values) {
  std::vector<std::string_view> gone = visit.request().form.all("remove");
  std::sort(gone.begin(), gone.end());
  std::erase_if(values,
                [&](const std::string& v) { return std::binary_search(gone.begin(), gone.end(), v); });
  Parameters added;
  added.add(std::string(place.field->name), std::string(visit.field("add")));
  form::Values posted = posted_values(*place.form.form, place.form.who, added);
  for (std::string& value : posted[std::string(place.field->name)]) values.push_back(std::move(value));
  return values;
}

void on_edited(const VisitPtr& visit, const ListPlace& place, const Listed& listed, const WebDone& done) {
  if (done.kind == po::Kind::kDone)
    return visit->see_other(fmt::format("{}?changed={}", place.path(), done.revision));
  if (done.conflict)
    return visit->see_other(
        place.path(), "Nothing was changed: somebody else changed the form at this moment. Do it once more.",
        Tone::kWarning);
  if (done.kind == po::Kind::kTemporary) return visit->refuse(503, "Not possible just now", done.text);
  FormView view{.form = place.form.form, .values = {}, .problems = done.problems, .path = {}};
  if (view.problems.empty()) view.problems.push_back({{}, {}, done.text});
  for (WebProblem& problem : view.problems) {
    if (!problem.value.empty()) problem.rule = problem.value + ": " + problem.rule;
    problem.field.clear();  // there is no input of its own to lead to
  }
  std::vector<Notice> notices;
  notices.push_back(problem_notice(view));
  show(visit, place, listed, std::move(notices), 422);
}

}  // namespace

void show_long_list(const VisitPtr& visit, const FormPlace& form, std::string_view field) {
  with_change_notice(
      visit, form, [visit, form, name = std::string(field)](const std::vector<Notice>& notices) {
        with_list(visit, form, name, [visit, notices](const ListPlace& place, const Listed& listed) {
          show(visit, place, listed, notices, 200);
        });
      });
}

void edit_long_list(const VisitPtr& visit, const FormPlace& form, std::string_view field) {
  with_list(visit, form, field, [visit](const ListPlace& place, Listed listed) {
    WebSubmitForm question;
    question.what = WebSubmit::kSet;
    question.form = place.form.form->name;
    question.subject = place.form.subject;
    question.revision = listed.revision;
    question.values = {{std::string(place.field->name), edited(*visit, place, listed.values)}};
    visit->ask<WebSubmitForm>(std::move(question), [visit, place, listed = std::move(listed)](WebDone& done) {
      on_edited(visit, place, listed, done);
    });
  });
}

}  // namespace wwwd
