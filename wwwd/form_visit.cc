#include "wwwd/form_visit.h"

#include <fmt/format.h>

#include <algorithm>

#include "lib/form/changes.h"
#include "wwwd/form_page.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

// ---- small parts

void write_time(Html& h, std::int64_t at) {
  if (at == 0) {
    h.text("never");
    return;
  }
  h.element("time", {{"datetime", machine_time(at)}}, time_text(at, false) + " UTC");
}

std::string form_title(const FormPlace& place, const form::Values& values) {
  if (place.title_from) return place.title_from(values);
  return place.title.empty() ? std::string(place.form->title) : place.title;
}

namespace {

constexpr std::size_t kMostShown = 10;  ///< values of one field in a change

/// `left`: how many more there are.
void write_values(Html& h, const std::vector<std::string>& values, std::size_t left = 0) {
  if (values.empty()) h.element("span", {{"class", "none"}}, "empty");
  std::size_t shown = std::min(values.size(), kMostShown);
  left += values.size() - shown;
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) h.empty("br");
    h.text(shortened(values[i], 300));
  }
  if (left > 0) h.empty("br").text(fmt::format("and {} more", left));
}

void write_part(Html& h, std::string_view word, const std::vector<std::string>& values, std::size_t left) {
  if (values.empty()) return;
  h.open("p").element("span", {{"class", "change-word"}}, word);
  write_values(h, values, left);
  h.close("p");
}

/// Of long lists, what came and what went.
void write_list_change(Html& h, const WebRevision::Line& line) {
  auto gone = line.moved_alone ? line.before : form::missing_in(line.before, line.after);
  auto come = line.moved_alone ? line.after : form::missing_in(line.after, line.before);
  if (gone.empty() && come.empty()) h.text("in another order");
  write_part(h, "removed ", gone, line.before_left);
  write_part(h, "added ", come, line.after_left);
}

bool is_list_change(const WebRevision::Line& line) {
  return line.moved_alone || line.before.size() + line.after.size() > 2;
}

void write_undo(Html& h, const Visit& visit, const FormPlace& place, std::uint64_t revision,
                std::string_view what) {
  visit.open_form(h, place.path + "/undo", {{"revision", std::to_string(revision)}});
  h.open("button", {{"type", "submit"}, {"class", "small"}}).text("Undo");
  h.element("span", {{"class", "unseen"}}, what).close("button").close("form");
}

std::string by_whom(const WebRevision& revision) {
  std::string out = revision.who.empty() ? "somebody" : revision.who;
  if (!revision.from.empty()) out += " from " + revision.from;
  if (!revision.way.empty()) out += ", by " + revision.way;
  return out;
}

Page page_of(const FormPlace& place, const form::Values& values) {
  Page page;
  page.title = form_title(place, values);
  page.place = place.place;
  page.crumbs = place.crumbs;
  return page;
}

/// The form itself, ready to be shown.
void fill(const Visit& visit, const FormPlace& place, const FormView& view, std::uint64_t revision,
          Page& page) {
  Html& h = page.body;
  if (place.tabs) place.tabs(h, "");
  if (place.above) place.above(h, view.values);
  visit.open_form(h, place.path, {{"revision", std::to_string(revision)}});
  write_fields(h, view);
  h.open("div", {{"class", "actions"}});
  h.element("button", {{"type", "submit"}, {"class", "primary"}}, place.button);
  h.close("div").close("form");
  if (place.below) place.below(h, view.values);
}

FormView view_of(const FormPlace& place, const WebForm& form) {
  return {.form = place.form, .who = place.who, .values = to_values(form.values), .path = place.path};
}

void with_form(const VisitPtr& visit, const FormPlace& place, std::function<void(WebForm&)> then) {
  wwwd::with_form(visit, place.form->name, place.subject, std::move(then));
}

/// Octets of HTML of changes in one page, behind which no further one begins.
constexpr std::size_t kMostChangesSize = 40 * 1024;

std::uint64_t sent_revision(const Visit& visit) {
  return parse_number(visit.field("revision")).value_or(0);
}

// ---- a form that came back

void show_refused(const VisitPtr& visit, const FormPlace& place, const form::Values& typed,
                  const WebDone& done) {
  std::vector<WebProblem> problems = done.problems;
  if (problems.empty()) problems.push_back({{}, {}, done.text});
  std::uint64_t revision = sent_revision(*visit);
  with_form(visit, place, [visit, place, typed, problems = std::move(problems), revision](WebForm& form) {
    FormView view = view_of(place, form);
    view.typed = typed;
    view.problems = problems;
    Page page = page_of(place, view.values);
    page.status = 422;
    page.notices.push_back(problem_notice(view));
    fill(*visit, place, view, revision, page);
    visit->show(std::move(page));
  });
}

Notice conflict_notice(const FormPlace& place, const std::vector<WebRevision>& since, bool disagree) {
  Notice notice{
      Tone::kWarning, "Nothing was changed yet: somebody else changed this form since you opened it", {}};
  std::size_t shown = 0;
  for (const WebRevision& revision : since) {
    if (notice.more.size() > kMostChangesSize) break;
    ++shown;
    notice.more.open("p").text(by_whom(revision) + ", ");
    write_time(notice.more, revision.at);
    notice.more.close("p");
    write_changes(notice.more, revision.lines);
  }
  if (shown < since.size())
    notice.more.open("p")
        .text(fmt::format("and {} before. ", count_of(since.size() - shown, "change")))
        .link(place.path + "/history", "History")
        .close("p");
  notice.more.element(
      "p", disagree ? "What you typed is kept. Where you both changed a field, what it was made stands below "
                      "yours. Save again to put yours over it."
                    : "What you typed is kept, and the other change is in the form. Save again to put both "
                      "together.");
  return notice;
}

void show_conflict(const VisitPtr& visit, const FormPlace& place, const form::Values& typed,
                   const WebDone& done) {
  with_form(visit, place, [visit, place, typed, since = done.since](WebForm& form) {
    FormView view = view_of(place, form);
    Merged merged = merge_typed(*place.form, typed, view.values, since);
    view.typed = std::move(merged.typed);
    view.others = std::move(merged.others);
    Page page = page_of(place, view.values);
    page.status = 409;
    page.notices.push_back(conflict_notice(place, since, !view.others.empty()));
    fill(*visit, place, view, form.revision, page);
    visit->show(std::move(page));
  });
}

void show_resumed(const VisitPtr& visit, const FormPlace& place) {
  with_form(visit, place, [visit, place](WebForm& form) {
    FormView view = view_of(place, form);
    view.typed = posted_values(*place.form, place.who, visit->request().form);
    Page page = page_of(place, view.values);
    Notice notice{Tone::kWarning, "Nothing was changed yet", {}};
    notice.more.element("p",
                        "Your session was over when you sent this form. Here is what you typed: look at it, "
                        "and save it now. Passwords have to be typed again.");
    page.notices.push_back(std::move(notice));
    fill(*visit, place, view, sent_revision(*visit), page);
    visit->show(std::move(page));
  });
}

}  // namespace

// ---- showing

void with_form(const VisitPtr& visit, std::string_view form, std::uint64_t subject,
               std::function<void(WebForm&)> then) {
  WebShowForm question;
  question.form = form;
  question.subject = subject;
  visit->ask<WebShowForm>(std::move(question), [visit, then = std::move(then)](WebForm& now) {
    if (now.kind == po::Kind::kPermanent) return visit->not_found();
    if (now.kind != po::Kind::kDone) return visit->refuse(503, "Not possible just now", now.text);
    then(now);
  });
}

void show_form(const VisitPtr& visit, const FormPlace& place) {
  with_change_notice(visit, place, [visit, place](std::vector<Notice> notices) {
    with_form(visit, place, [visit, place, notices = std::move(notices)](WebForm& form) {
      FormView view = view_of(place, form);
      Page page = page_of(place, view.values);
      page.notices = notices;
      fill(*visit, place, view, form.revision, page);
      visit->show(std::move(page));
    });
  });
}

void submit_form(const VisitPtr& visit, const FormPlace& place,
                 const std::function<std::string(const WebDone&)>& after) {
  if (visit->resumed()) return show_resumed(visit, place);
  form::Values typed = posted_values(*place.form, place.who, visit->request().form);
  WebSubmitForm question;
  question.what = WebSubmit::kSet;
  question.form = place.form->name;
  question.subject = place.subject;
  question.revision = sent_revision(*visit);
  question.values = to_fields(typed);
  visit->ask<WebSubmitForm>(std::move(question), [visit, place, typed, after](WebDone& done) {
    if (done.conflict) return show_conflict(visit, place, typed, done);
    if (done.kind == po::Kind::kTemporary) return visit->refuse(503, "Not possible just now", done.text);
    if (done.kind == po::Kind::kPermanent) return show_refused(visit, place, typed, done);
    std::string path = after ? after(done) : place.path;
    if (done.revision == sent_revision(*visit) && !after)
      return visit->see_other(path, "Nothing to change: the form says that already", Tone::kNote);
    visit->see_other(fmt::format("{}?changed={}", path, done.revision));
  });
}

void with_change_notice(const VisitPtr& visit, const FormPlace& place,
                        std::function<void(std::vector<Notice>)> then) {
  auto revision = parse_number(visit->query("changed"));
  if (!revision) return then({});
  WebAskHistory question;
  question.form = place.form->name;
  question.subject = place.subject;
  question.before = *revision + 1;
  question.limit = 1;
  visit->ask<WebAskHistory>(std::move(question),
                            [visit, place, revision, then = std::move(then)](WebHistory& history) {
                              if (history.entries.empty() || history.entries[0].revision != *revision)
                                return then({});
                              const WebRevision& entry = history.entries[0];
                              Notice notice{Tone::kDone, "Saved", {}};
                              write_changes(notice.more, entry.lines);
                              if (entry.can_undo)
                                write_undo(notice.more, *visit, place, entry.revision, " this change");
                              std::vector<Notice> notices;
                              notices.push_back(std::move(notice));
                              then(std::move(notices));
                            });
}

// ---- history

void write_changes(Html& h, const std::vector<WebRevision::Line>& lines) {
  if (lines.empty()) return;
  h.open("dl", {{"class", "changes"}});
  for (const WebRevision::Line& line : lines) {
    h.open("div").element("dt", field_label(line.field)).open("dd");
    if (is_list_change(line)) {
      write_list_change(h, line);
    } else {
      h.open("span", {{"class", "before"}});
      write_values(h, line.before);
      h.close("span").element("span", {{"class", "arrow"}}, " → ").open("span", {{"class", "after"}});
      write_values(h, line.after);
      h.close("span");
    }
    h.close("dd").close("div");
  }
  h.close("dl");
}

static void write_revision(Html& h, const Visit& visit, const FormPlace& place, const WebRevision& revision) {
  h.open("li", {{"class", "revision"}}).open("div", {{"class", "revision-head"}}).open("p");
  write_time(h, revision.at);
  h.text(" " + by_whom(revision)).close("p");
  if (revision.can_undo)
    write_undo(h, visit, place, revision.revision, fmt::format(" change {}", revision.revision));
  h.close("div");
  if (revision.lines.empty()) h.element("p", {{"class", "hint"}}, "Made.");
  write_changes(h, revision.lines);
  h.close("li");
}

void show_history(const VisitPtr& visit, const FormPlace& place) {
  WebAskHistory question;
  question.form = place.form->name;
  question.subject = place.subject;
  question.before = parse_number(visit->query("before")).value_or(0);
  visit->ask<WebAskHistory>(std::move(question), [visit, place](WebHistory& history) {
    if (history.kind == po::Kind::kPermanent) return visit->not_found();
    if (history.kind != po::Kind::kDone) return visit->refuse(503, "Not possible just now", history.text);
    Page page = page_of(place, {});
    page.title = "History: " + (place.title.empty() ? std::string(place.form->title) : place.title);
    page.crumbs.push_back({place.path, place.title.empty() ? std::string(place.form->title) : place.title});
    Html& h = page.body;
    if (place.tabs) place.tabs(h, "/history");
    h.element("p", {{"class", "lead"}},
              "Every change, the newest first: who made it, from where, and by which way. "
              "Undo gives the fields of one change the values back that they had before.");
    if (history.entries.empty()) h.element("p", {{"class", "blank"}}, "Nothing was changed yet.");
    h.open("ol", {{"class", "revisions"}});
    std::size_t shown = 0;
    for (const WebRevision& revision : history.entries) {
      if (h.size() > kMostChangesSize) break;
      write_revision(h, *visit, place, revision);
      ++shown;
    }
    h.close("ol");
    if (shown > 0 && (history.more || shown < history.entries.size()))
      h.open("p")
          .link(fmt::format("{}/history?before={}", place.path, history.entries[shown - 1].revision),
                "Older changes")
          .close("p");
    visit->show(std::move(page));
  });
}

void undo_change(const VisitPtr& visit, const FormPlace& place) {
  WebUndo question;
  question.form = place.form->name;
  question.subject = place.subject;
  question.undo = sent_revision(*visit);
  visit->ask<WebUndo>(std::move(question), [visit, place](WebDone& done) {
    if (done.kind == po::Kind::kDone)
      return visit->see_other(fmt::format("{}?changed={}", place.path, done.revision));
    std::string text = done.text;
    if (text.empty() && done.conflict)
      text =
          "A field of this change was changed again since: undo that change first, or set the field by hand.";
    for (const WebProblem& problem : done.problems)
      text += fmt::format(" {}: {}.", field_label(problem.field), problem.rule);
    visit->see_other(place.path + "/history", "Not undone: " + text, Tone::kProblem);
  });
}

}  // namespace wwwd
