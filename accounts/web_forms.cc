// WebServer: forms, their history, and the removal of accounts. What a caller may read and change of a form
// is the form's own declaration, applied by form_service; here stands only which forms are whose.
#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "accounts/account_form.h"
#include "accounts/command_words.h"
#include "accounts/web_answers.h"
#include "accounts/web_server.h"
#include "lib/form/changes.h"
#include "lib/form/forms.h"

namespace accounts {

namespace messages = po::messages;
using messages::WebDone;
using messages::WebStanding;

namespace {

constexpr std::uint32_t kHistoryPage = 50;
constexpr std::size_t kLongLine =
    256 * 1024;  ///< octets of a field's values; no field that is typed has so many
constexpr std::size_t kLongLineValues = 100;
constexpr std::size_t kMostRevisionOctets = 4U << 20;  ///< of one answer, so that it fits its frame
constexpr std::uint32_t kMostListed = 500;

/// What a form's name and number mean; no form if there is none of that name.
Subject subject_of(std::string_view name, std::uint64_t account) {
  const form::Form* form = form::find_form(name);
  return {form, form != nullptr && form::is_of_account(*form) ? account : 0};
}

/// Everything is a Postmaster's; all others have the form of their own account.
bool is_theirs(const Subject& subject, const directory::Account& account, bool postmaster) {
  return postmaster ||
         (subject.form == &form::individual_account_information() && subject.account == account.id);
}

WebDone no_such_form() {
  return failure({po::Kind::kPermanent, 0, "There is no such form."});
}

messages::WebProblem web_problem(form::Problem problem) {
  return {std::move(problem.field), std::move(problem.value), std::move(problem.rule)};
}

std::size_t size_of(const std::vector<std::string>& values) {
  std::size_t size = 0;
  for (const std::string& value : values) size += value.size() + 4;
  return size;
}

std::size_t size_of(const messages::WebRevision& revision) {
  std::size_t size = 128;
  for (const auto& line : revision.lines)
    size += line.field.size() + size_of(line.before) + size_of(line.after);
  return size;
}

std::uint32_t cut(std::vector<std::string>& values) {
  std::size_t all = values.size(), kept = std::min(all, kLongLineValues);
  values.resize(kept);
  return static_cast<std::uint32_t>(all - kept);
}

messages::WebRevision::Line web_line(directory::Revision::Line line) {
  messages::WebRevision::Line out{std::move(line.field), std::move(line.before), std::move(line.after)};
  if (size_of(out.before) + size_of(out.after) <= kLongLine) return out;
  auto gone = form::missing_in(out.before, out.after);
  out.after = form::missing_in(out.after, out.before);
  out.before = std::move(gone);
  out.moved_alone = true;
  out.before_left = cut(out.before);
  out.after_left = cut(out.after);
  return out;
}

messages::WebRevision web_revision(directory::Revision revision) {
  messages::WebRevision out;
  out.revision = revision.revision;
  out.at = revision.at;
  out.who = std::move(revision.who);
  out.from = std::move(revision.from);
  out.way = std::move(revision.way);
  bool passwords_alone = std::all_of(revision.lines.begin(), revision.lines.end(),
                                     [](const auto& line) { return line.field == kPasswordField; });
  out.can_undo = revision.kind != directory::Revision::Kind::kAdded && !passwords_alone;
  for (directory::Revision::Line& line : revision.lines) out.lines.push_back(web_line(std::move(line)));
  return out;
}

/// As many of the newest as have room in an answer.
std::vector<messages::WebRevision> web_revisions(std::vector<directory::Revision> revisions) {
  std::vector<messages::WebRevision> out;
  std::size_t size = 0;
  for (directory::Revision& revision : revisions) {
    messages::WebRevision next = web_revision(std::move(revision));
    size += size_of(next);
    if (!out.empty() && size > kMostRevisionOctets) break;
    out.push_back(std::move(next));
  }
  return out;
}

std::string text_of(const Outcome& outcome, bool check_only) {
  switch (outcome.what) {
    case Outcome::What::kChanged:
      return check_only ? "This would be changed." : "The change is made.";
    case Outcome::What::kSame:
      return "Nothing was different.";
    case Outcome::What::kConflict:
      return "Somebody else changed this form meanwhile. Nothing was changed.";
    case Outcome::What::kRefused:
      break;
  }
  return "Nothing was changed.";
}

WebDone done_of(po::Result<Outcome> result, bool check_only = false) {
  if (!result) return failure(result.error());
  WebDone done;
  Outcome& outcome = *result;
  bool good = outcome.what == Outcome::What::kChanged || outcome.what == Outcome::What::kSame;
  done.kind = good ? po::Kind::kDone : po::Kind::kPermanent;
  done.text = text_of(outcome, check_only);
  done.subject = outcome.account;
  done.revision = outcome.revision;
  done.conflict = outcome.what == Outcome::What::kConflict;
  done.since = web_revisions(std::move(outcome.since));
  for (form::Problem& problem : outcome.problems) done.problems.push_back(web_problem(std::move(problem)));
  for (directory::Revision::Line& line : outcome.changes)
    done.changes.push_back({std::move(line.field), std::move(line.after)});
  return done;
}

/// Unknown fields become problems of the form: a page that is older than the program must not lose a value in
/// silence.
form::Parsed parsed_of(const form::Form& form, std::vector<messages::WebField> values) {
  form::Parsed parsed;
  for (messages::WebField& value : values) {
    const form::Field* field = form.find(value.name);
    if (field != nullptr)
      parsed.fields.push_back({field, 0, std::move(value.values)});
    else
      parsed.problems.push_back({0, value.name, {}, fmt::format("{} has no such field", form.title)});
  }
  return parsed;
}

ListQuery::Sort sort_of(messages::WebSort sort) {
  if (sort == messages::WebSort::kName) return ListQuery::Sort::kName;
  return sort == messages::WebSort::kNumber ? ListQuery::Sort::kNumber : ListQuery::Sort::kAddress;
}

messages::WebAccounts listed(const po::Result<Listing>& listing) {
  messages::WebAccounts answer;
  say(answer, listing);
  if (!listing) return answer;
  answer.total = listing->total;
  answer.all = listing->all;
  for (const directory::Account& a : listing->rows)
    answer.rows.push_back({a.id, a.name, a.addresses.empty() ? std::string() : a.addresses[0],
                           static_cast<std::uint32_t>(a.addresses.size()), a.locked, a.pop3_delivery,
                           !a.forwarding.empty()});
  return answer;
}

}  // namespace

WebServer::Looked WebServer::look_at(const messages::WebCaller& caller, const Subject& subject, Needs needs) {
  Looked who = look(caller, needs);
  if (who.good() && !is_theirs(subject, who.account, who.postmaster)) who.standing = WebStanding::kNotAllowed;
  return who;
}

void WebServer::on_show_form(Asker asker, messages::WebShowForm ask) {
  Subject subject = subject_of(ask.form, ask.subject);
  Looked who = look_at(ask.caller, subject);
  if (!who.good()) return refuse<messages::WebForm>(asker, who.standing);
  messages::WebForm answer;
  answer.standing = WebStanding::kGood;
  answer.kind = po::Kind::kPermanent;
  answer.text = no_such_form().text;
  if (subject.form == nullptr) return send(asker, answer);
  auto shown = show(parts_.administration, caller_of(who), subject);
  say(answer, shown);
  if (shown) {
    answer.revision = shown->revision;
    for (auto& [name, values] : shown->values) answer.values.push_back({name, std::move(values)});
  }
  send(asker, answer);
}

void WebServer::on_submit_form(Asker asker, messages::WebSubmitForm ask) {
  bool check_only = ask.what == messages::WebSubmit::kCheck;
  Subject subject = subject_of(ask.form, ask.subject);
  Looked who = look_at(ask.caller, subject, check_only ? Needs::kNothing : Needs::kSeal);
  About about{check_only ? "" : "form-changed", ask.form, ask.subject};
  change(asker, std::move(who), std::move(about),
         [&admin = parts_.administration, subject, check_only, seen = ask.revision,
          values = std::move(ask.values)](const Caller& caller) {
           if (subject.form == nullptr) return no_such_form();
           Submission submission;
           submission.given = parsed_of(*subject.form, values);
           if (!form::is_of_account(*subject.form) || subject.account != 0) submission.seen = seen;
           submission.check_only = check_only;
           return done_of(submit(admin, caller, subject, submission), check_only);
         });
}

void WebServer::on_history(Asker asker, messages::WebAskHistory ask) {
  Subject subject = subject_of(ask.form, ask.subject);
  Looked who = look_at(ask.caller, subject);
  if (!who.good()) return refuse<messages::WebHistory>(asker, who.standing);
  messages::WebHistory answer;
  answer.standing = WebStanding::kGood;
  answer.kind = po::Kind::kPermanent;
  answer.text = no_such_form().text;
  if (subject.form == nullptr) return send(asker, answer);
  // One more than is shown: then the page knows whether there is another.
  std::size_t limit = std::min(ask.limit, kHistoryPage);
  auto found = history(parts_.administration, caller_of(who), subject, ask.before, limit + 1);
  say(answer, found);
  if (found) {
    std::size_t all = found->size();
    if (all > limit) found->resize(limit);
    answer.entries = web_revisions(std::move(*found));
    answer.more = answer.entries.size() < all;
  }
  send(asker, answer);
}

void WebServer::on_undo(Asker asker, messages::WebUndo ask) {
  Subject subject = subject_of(ask.form, ask.subject);
  Looked who = look_at(ask.caller, subject, Needs::kSeal);
  change(asker, std::move(who), {"form-undone", ask.form, ask.subject},
         [&admin = parts_.administration, subject, revision = ask.undo](const Caller& caller) {
           if (subject.form == nullptr) return no_such_form();
           return done_of(undo(admin, caller, subject, revision));
         });
}

void WebServer::on_remove(Asker asker, messages::WebRemove ask) {
  Looked who = look(ask.caller, Needs::kSeal, For::kPostmaster);
  Removal removal;
  removal.account = ask.subject;
  bool hand_over = ask.mail == messages::MailOf::kHandOver;
  change(asker, std::move(who), {"account-removed", std::string(form::account_data().name), ask.subject},
         [&admin = parts_.administration, removal, hand_over, to = ask.to](const Caller& caller) mutable {
           if (hand_over) {
             auto heir = find_account(admin, to);
             if (!heir) return failure(heir.error());
             removal.hand_to = heir->id;
           }
           return done_of(remove(admin, caller, removal));
         });
}

/// The index may have to be made anew, so not in the loop.
void WebServer::on_accounts(Asker asker, messages::WebAskAccounts ask) {
  Looked who = look(ask.caller, Needs::kNothing, For::kPostmaster);
  if (!who.good()) return refuse<messages::WebAccounts>(asker, who.standing);
  if (!take_job(asker)) return refuse<messages::WebAccounts>(asker, WebStanding::kUnavailable);
  ListQuery query{std::move(ask.search), sort_of(ask.sort), ask.descending, ask.offset,
                  std::min(ask.limit, kMostListed)};
  auto answer = std::make_shared<messages::WebAccounts>();
  readers_.run(
      [&admin = parts_.administration, answer, query] { *answer = listed(admin.list().list(query)); },
      [this, asker, answer] {
        end_job(asker);
        send(asker, *answer);
      });
}

}  // namespace accounts
