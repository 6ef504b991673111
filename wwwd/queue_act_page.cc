// What is done with messages that wait: of one, of those that were selected, of all that match a filter.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "wwwd/command_answer.h"
#include "wwwd/queue_page.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using po::messages::Role;

const std::vector<QueueAction>& queue_actions() {
  static const std::vector<QueueAction> kActions = {
      {.name = "retry",
       .button = "Try now",
       .question = "Try now",
       .effect = "They will be tried at once, whatever the schedule says. What is held stays held.",
       .done = "will be tried now",
       .words = {"retry"}},
      {.name = "hold",
       .button = "Hold",
       .question = "Hold",
       .effect = "They stay in the queue and are not tried until somebody releases them.",
       .done = "held",
       .words = {"hold"}},
      {.name = "release",
       .button = "Release",
       .question = "Release",
       .effect = "Those that are held will be tried now.",
       .done = "released",
       .words = {"release"}},
      {.name = "reroute",
       .button = "Send by another host",
       .question = "Send by another host",
       .effect = "They will be tried now, by that host and no other.",
       .done = "will be sent that way",
       .words = {"reroute"},
       .asks = true},
      {.name = "bounce",
       .button = "Return to sender",
       .question = "Return to the sender",
       .effect =
           "Each sender is told that the mail was not delivered. Then it leaves the queue. This cannot be "
           "taken back.",
       .done = "returned",
       .words = {"remove", "--bounce"},
       .asks = true,
       .destroys = true},
      {.name = "discard",
       .button = "Discard",
       .question = "Discard",
       .effect =
           "The mail is thrown away, and neither sender nor recipient is told. This cannot be taken back.",
       .done = "discarded",
       .words = {"remove", "--discard"},
       .asks = true,
       .destroys = true},
  };
  return kActions;
}

const QueueAction* find_queue_action(std::string_view name) {
  const auto& all = queue_actions();
  auto at = std::find_if(all.begin(), all.end(), [&](const QueueAction& a) { return a.name == name; });
  return at == all.end() ? nullptr : &*at;
}

void write_queue_buttons(Html& html) {
  html.open("div", {{"class", "buttons"}});
  for (const QueueAction& a : queue_actions()) {
    html.element("button",
                 {{"type", "submit"},
                  {"name", "action"},
                  {"value", a.name},
                  {"class", a.destroys ? "danger" : "normal"}},
                 a.asks ? std::string(a.button) + "…" : std::string(a.button));
  }
  html.close("div");
}

namespace {

/// What the form that was sent asks for.
struct Act {
  const QueueAction* action = nullptr;
  QueueQuery query;
  std::vector<std::string> ids;
  bool matching = false;  ///< all that match, whatever is selected
  bool confirmed = false;
  std::string to;    ///< reroute: the host; empty: as the routing says
  std::string back;  ///< where to go afterwards
};

Act read_act(const Parameters& form) {
  Act act;
  act.action = find_queue_action(form.value("action"));
  act.query = read_queue_query(form);
  act.matching = form.value("scope") == "matching";
  act.confirmed = form.value("confirmed") == "yes";
  act.to = form.value("to");
  if (!act.matching)
    for (std::string_view id : form.all("id"))
      if (is_message_id(id) && act.ids.size() < kQueueRows) act.ids.emplace_back(id);
  bool one = act.ids.size() == 1 && form.value("from") == "message";
  act.back = one ? "/queue/" + act.ids.front() : queue_address(act.query);
  return act;
}

/// The words that say which: ids and filter, or all.
std::vector<std::string> selection_words(const Act& act) {
  std::vector<std::string> words = filter_words(act.query);
  words.insert(words.end(), act.ids.begin(), act.ids.end());
  if (words.empty()) words.emplace_back("--all");
  return words;
}

std::vector<std::string> command_words(const Act& act) {
  std::vector<std::string> words = {"queue"};
  words.insert(words.end(), act.action->words.begin(), act.action->words.end());
  words.emplace_back("--json");
  if (!act.to.empty()) words.push_back("--to=" + act.to);
  for (std::string& word : selection_words(act)) words.push_back(std::move(word));
  return words;
}

// ---- asking first

std::string selection_text(const Act& act) {
  if (!act.ids.empty()) return "";
  return act.query.filters() ? fmt::format("All that match the filter: {}.", filter_text(act.query))
                             : "All that wait in the queue.";
}

constexpr std::size_t kMostHost = 300;  // octets; a name has 253

void write_host_field(Html& h, const Act& act, std::string_view problem) {
  h.open("div", {{"class", "field stacked"}});
  h.element("label", {{"for", "to"}}, "Host");
  h.empty("input", {{"id", "to"},
                    {"name", "to"},
                    {"value", act.to},
                    {"autocapitalize", "none"},
                    {"spellcheck", "false"},
                    {"maxlength", kMostHost},
                    html::Attribute::unless_empty("aria-invalid", problem.empty() ? "" : "true"),
                    {"aria-describedby", problem.empty() ? "to-hint" : "to-error to-hint"}});
  if (!problem.empty()) h.element("p", {{"class", "error"}, {"id", "to-error"}}, problem);
  h.element("p", {{"class", "hint"}, {"id", "to-hint"}},
            "As in the mail routing table: mail.example.org, [192.0.2.1], either with a port behind it "
            "(mail.example.org:2525), or * for the MX hosts of the recipient's domain. Empty: as the table "
            "says now.");
  h.close("div");
}

std::vector<std::pair<std::string, std::string>> hidden_fields(const Act& act, const Visit& visit) {
  auto hidden = filter_fields(act.query);
  for (const std::string& id : act.ids) hidden.emplace_back("id", id);
  hidden.emplace_back("scope", act.matching ? "matching" : "selected");
  hidden.emplace_back("confirmed", "yes");
  if (visit.field("from") == "message") hidden.emplace_back("from", "message");
  return hidden;
}

std::string concern_text(const Json& summary) {
  std::uint64_t recipients = summary["recipients"].count(), messages = summary["messages"].count();
  return fmt::format("This concerns {} of {}.", count_of(recipients, "recipient"),
                     count_of(messages, "message"));
}

void show_question(const VisitPtr& visit, const Act& act, const Json& summary, std::string_view problem) {
  Page page;
  page.title = act.action->question;
  page.place = "/queue";
  page.crumbs = {{"/queue", "Queue"}};
  if (!problem.empty()) page.status = 422;
  Html& h = page.body;
  std::string which = selection_text(act);
  if (!which.empty()) h.element("p", which);
  h.open("p").element("strong", concern_text(summary)).text(" ").text(act.action->effect).close("p");
  visit->open_form(h, "/queue/act", hidden_fields(act, *visit));
  if (act.action->name == "reroute") write_host_field(h, act, problem);
  h.open("div", {{"class", "buttons"}});
  h.element("button",
            {{"type", "submit"},
             {"name", "action"},
             {"value", act.action->name},
             {"class", act.action->destroys ? "danger" : "primary"}},
            act.action->button);
  h.link(act.back, "Cancel");
  h.close("div").close("form");
  visit->show(std::move(page));
}

void ask_first(const VisitPtr& visit, const std::shared_ptr<Act>& act, std::string problem = {}) {
  std::vector<std::string> words = {"queue", "summary", "--json", "--limit=1"};
  for (std::string& word : selection_words(*act))
    if (word != "--all") words.push_back(std::move(word));
  visit->collect(
      Role::kQueue, std::move(words), [visit, act, problem = std::move(problem)](Printed& printed) {
        Json summary = json_of(printed);
        if (summary.is_null()) return visit->see_other(act->back, failure_text(printed), Tone::kProblem);
        if (summary["recipients"].count() == 0)
          return visit->see_other(act->back, "Nothing was done: what was selected does not wait any more.",
                                  Tone::kWarning);
        show_question(visit, *act, summary, problem);
      });
}

// ---- doing it

std::string_view unchanged_text(const QueueAction& action) {
  return action.name == "release" ? "not held" : "held already";
}

std::string done_text(const Act& act, const Json& report) {
  std::uint64_t recipients = report["recipients"].count();
  std::string out = recipients == 0
                        ? std::string("Nothing was changed.")
                        : fmt::format("{} of {}: {}.", count_of(recipients, "recipient"),
                                      count_of(report["messages"].count(), "message"), act.action->done);
  if (std::uint64_t n = report["busy"].count(); n > 0)
    out += fmt::format(" {}: being delivered at this moment, left alone.", count_of(n, "recipient"));
  if (std::uint64_t n = report["unchanged"].count(); n > 0)
    out += fmt::format(" {}: {}, left alone.", count_of(n, "recipient"), unchanged_text(*act.action));
  return out;
}

void carry_out(const VisitPtr& visit, const std::shared_ptr<Act>& act) {
  visit->collect(Role::kQueue, command_words(*act), [visit, act](Printed& printed) {
    Json report = json_of(printed);
    // The host's form is queue's to judge: beside its field.
    if (report.is_null() && printed.exit_code == 64 && !act->to.empty())
      return ask_first(visit, act, failure_text(printed));
    if (report.is_null()) return visit->see_other(act->back, failure_text(printed), Tone::kProblem);
    if (printed.exit_code != 0 && !printed.err.empty())
      return visit->see_other(act->back, done_text(*act, report) + " " + failure_text(printed),
                              Tone::kProblem);
    bool gone = act->action->destroys && act->back.starts_with("/queue/");
    Tone tone = report["recipients"].count() > 0 ? Tone::kDone : Tone::kWarning;
    visit->see_other(gone ? "/queue" : act->back, done_text(*act, report), tone);
  });
}

void act_page(const VisitPtr& visit) {
  auto act = std::make_shared<Act>(read_act(visit->request().form));
  if (act->action == nullptr)
    return visit->refuse(400, "Nothing was done", "The form did not say what to do.");
  // A filter of which a part was left out would select more than was seen.
  if (!act->query.problems.empty()) return visit->see_other(queue_address(act->query));
  if (!act->matching && act->ids.empty())
    return visit->see_other(act->back, "Nothing was done: select at least one message.", Tone::kWarning);
  if (act->to.size() > kMostHost) {
    act->to = shortened(act->to, kMostHost);
    return ask_first(visit, act, "This is too long for a host.");
  }
  if ((act->matching || act->action->asks) && !act->confirmed) return ask_first(visit, act);
  carry_out(visit, act);
}

}  // namespace

void add_queue_act_pages(Routes& routes) {
  routes.add({.pattern = "/queue/act",
              .get = [](const VisitPtr& visit) { visit->see_other("/queue"); },
              .post = act_page});
}

}  // namespace wwwd
