#include "wwwd/queue_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "wwwd/command_answer.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using po::messages::Role;

// ---- the filter

namespace {

struct FilterField {
  std::string_view name, label, hint;
  const std::string QueueQuery::*value;
};

void write_problem(Html& html, std::string_view id, std::string_view rule) {
  if (!rule.empty()) html.element("span", {{"class", "error"}, {"id", id}}, rule);
}

void write_text_field(Html& html, const QueueQuery& query, const FilterField& field) {
  std::string id = fmt::format("filter-{}", field.name), error_id = id + "-error";
  std::string_view rule = query.problem_of(field.name);
  html.open("div", {{"class", "filter-field"}});
  html.element("label", {{"for", id}}, field.label);
  html.empty("input", {{"id", id},
                       {"name", field.name},
                       {"value", query.*field.value},
                       {"placeholder", field.hint},
                       {"autocapitalize", "none"},
                       {"spellcheck", "false"},
                       {"maxlength", 640},
                       html::Attribute::unless_empty("aria-invalid", rule.empty() ? "" : "true"),
                       html::Attribute::unless_empty("aria-describedby", rule.empty() ? "" : error_id)});
  write_problem(html, error_id, rule);
  html.close("div");
}

void write_state_field(Html& html, const QueueQuery& query) {
  struct Choice {
    std::string_view value, text;
  };
  constexpr Choice kChoices[] = {{"", "any"},
                                 {"new", "new: not tried yet"},
                                 {"active", "being delivered"},
                                 {"deferred", "deferred: tried, waits"},
                                 {"held", "held"}};
  std::string_view rule = query.problem_of("state");
  html.open("div", {{"class", "filter-field"}});
  html.element("label", {{"for", "filter-state"}}, "State");
  html.open("select", {{"id", "filter-state"}, {"name", "state"}});
  for (const Choice& c : kChoices)
    html.element("option", {{"value", c.value}, {"selected", query.state == c.value}}, c.text);
  html.close("select");
  write_problem(html, "filter-state-error", rule);
  html.close("div");
}

}  // namespace

void write_queue_filter(Html& html, const QueueQuery& query) {
  const FilterField kFields[] = {
      {.name = "sender", .label = "Sender", .hint = "*@podunk.edu, or <>", .value = &QueueQuery::sender},
      {.name = "recipient", .label = "Recipient", .hint = "jane@*", .value = &QueueQuery::recipient},
      {.name = "domain",
       .label = "Recipient's domain",
       .hint = "*.example.org",
       .value = &QueueQuery::domain},
      {.name = "hop", .label = "Next host", .hint = "example.org", .value = &QueueQuery::hop}};
  html.open("form", {{"method", "get"},
                     {"action", "/queue"},
                     {"class", "filter"},
                     {"role", "search"},
                     {"aria-label", "Filter the queue"}});
  for (const FilterField& field : kFields) write_text_field(html, query, field);
  write_state_field(html, query);
  write_text_field(html, query,
                   {.name = "older", .label = "Older than", .hint = "4h", .value = &QueueQuery::older});
  html.open("div", {{"class", "filter-buttons"}});
  html.element("button", {{"type", "submit"}}, "Filter");
  if (query.filters()) html.link("/queue", "Show all");
  html.close("div").close("form");
}

// ---- the table

namespace {

// A page of strangers' longest addresses and replies is still a page; the message's own page has them whole.
constexpr std::size_t kMostInCell = 80, kMostReason = 160;

/// A long address is broken before its domain rather than anywhere.
void write_address(Html& html, std::string_view address) {
  std::string shown = shortened(address, kMostInCell);
  std::size_t at = std::min(shown.rfind('@'), shown.size());
  html.text(shown.substr(0, at));
  if (at < shown.size()) html.empty("wbr").text(shown.substr(at));
}

void write_message_cells(Html& html, const QueuedMessage& m, std::time_t now, bool check_box) {
  std::size_t rows = m.recipients.size();
  if (check_box) {
    html.open("td", {{"rowspan", rows}, {"class", "check"}});
    html.empty("input", {{"type", "checkbox"},
                         {"name", "id"},
                         {"value", m.id},
                         {"aria-label", fmt::format("Message {} from {}", m.id,
                                                    shortened(shown_sender(m.sender), kMostInCell))}});
    html.close("td");
  }
  html.open("td", {{"rowspan", rows}, {"class", "message"}});
  html.element("a", {{"href", "/queue/" + m.id}, {"class", "id"}}, m.id);
  html.open("span", {{"class", "under"}});
  if (m.arrival) {
    html.element("time", {{"datetime", machine_time(*m.arrival)}, {"title", time_text(*m.arrival) + " UTC"}},
                 span_text(now - *m.arrival) + " old");
    html.text(", ");
  }
  html.text(octets_text(m.size)).close("span").close("td");
  html.open("td", {{"rowspan", rows}, {"class", "address"}});
  write_address(html, shown_sender(m.sender));
  html.close("td");
}

void write_recipient_cells(Html& html, const QueueRecipient& r, std::time_t now) {
  html.open("td", {{"class", "address"}});
  write_address(html, r.address);
  html.element("span", {{"class", "under"}}, "by " + shortened(r.hop, kMostInCell));
  html.close("td");
  html.open("td", {{"class", "state"}});
  write_state(html, r.state);
  html.close("td").open("td", {{"data-label", "Next attempt"}});
  write_next(html, r, now);
  if (r.attempts > 0) html.element("span", {{"class", "under"}}, count_of(r.attempts, "attempt"));
  html.close("td");
  html.element("td", {{"class", "reason"}},
               r.reply.empty() ? "not tried yet" : shortened(r.reply, kMostReason));
}

}  // namespace

void write_queue_table(Html& html, const std::vector<QueuedMessage>& messages, std::time_t now,
                       bool check_boxes) {
  html.open(
      "div",
      {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Messages that wait"}});
  html.open("table", {{"class", "list queue"},
                      html::Attribute::unless_empty("data-tick-all", check_boxes ? "All on this page" : "")});
  html.open("thead").open("tr");
  if (check_boxes)
    html.open("th", {{"scope", "col"}}).element("span", {{"class", "unseen"}}, "Select").close("th");
  for (std::string_view name :
       {"Message", "Sender", "Recipient", "State", "Next attempt", "Reason: the last reply"})
    html.element("th", {{"scope", "col"}}, name);
  html.close("tr").close("thead").open("tbody");
  for (const QueuedMessage& m : messages) {
    bool first = true;
    for (const QueueRecipient& r : m.recipients) {
      html.open("tr", {html::Attribute::unless_empty("class", first ? "first" : "")});
      if (first) write_message_cells(html, m, now, check_boxes);
      first = false;
      write_recipient_cells(html, r, now);
      html.close("tr");
    }
  }
  html.close("tbody").close("table").close("div");
}

// ---- the page of the list

namespace {

/// Two questions at once; the page is made when both are answered.
struct ListParts {
  QueueQuery query;
  Printed list, totals;
  int open = 2;
};

std::string place_of(const QueuedMessage& m) {
  return fmt::format("{}/{}", m.id, m.recipients.back().n);
}

std::string total_text(const Json& totals) {
  if (!totals["waiting"].is_number()) return "";
  std::uint64_t waiting = totals["waiting"].count();
  return waiting == 0
             ? "Nothing waits."
             : fmt::format("{} {} in all.", count_of(waiting, "recipient"), waiting == 1 ? "waits" : "wait");
}

void write_scope(Html& html, const QueueQuery& query) {
  std::string all = query.filters() ? fmt::format("all that match the filter ({})", filter_text(query))
                                    : std::string("all that wait");
  html.open("fieldset", {{"class", "scope"}});
  html.element("legend", "Do this with");
  html.open("label").empty("input",
                           {{"type", "radio"}, {"name", "scope"}, {"value", "selected"}, {"checked", true}});
  html.text(" the selected messages").close("label");
  html.open("label").empty("input", {{"type", "radio"}, {"name", "scope"}, {"value", "matching"}});
  html.text(" " + all).close("label");
  html.close("fieldset");
}

void write_pages(Html& html, const QueueQuery& query, const std::vector<QueuedMessage>& messages, bool more) {
  if (!more && query.after.empty()) return;
  html.open("nav", {{"class", "pager"}, {"aria-label", "Pages of the queue"}});
  QueueQuery to = query;
  to.after.clear();
  if (!query.after.empty()) html.link(queue_address(to), "First page");
  if (more) {
    to.after = place_of(messages.back());
    html.element("a", {{"href", queue_address(to)}, {"rel", "next"}}, "Next page");
  }
  html.close("nav");
}

void write_list(Html& html, const Visit& visit, const QueueQuery& query, std::vector<Json> rows) {
  bool more = rows.size() > kQueueRows;
  if (more) rows.resize(kQueueRows);
  std::vector<QueuedMessage> messages = read_queue_list(rows);
  if (messages.empty()) {
    html.element("p", {{"class", "blank"}},
                 query.filters() ? "Nothing that waits matches this filter." : "The queue is empty.");
    return write_pages(html, query, messages, false);
  }
  visit.open_form(html, "/queue/act", filter_fields(query));
  write_queue_table(html, messages, std::time(nullptr), true);
  write_pages(html, query, messages, more);
  html.open("div", {{"class", "acts"}});
  write_scope(html, query);
  write_queue_buttons(html);
  html.element("p", {{"class", "hint"}},
               "Concerns all recipients of a message that match the filter, also those on other pages. "
               "An action with … behind it asks first.");
  html.close("div").close("form");
}

void show_list(const VisitPtr& visit, ListParts& parts) {
  Page page;
  page.title = "Queue";
  page.place = "/queue";
  page.wide = true;
  Html& h = page.body;
  h.open("p", {{"class", "lead"}}).text(total_text(json_of(parts.totals)) + " ");
  h.link("/queue/counts", "Counts by next host")
      .text(" ")
      .link("/settings/mail-queue", "Settings of the queue");
  h.close("p");
  write_queue_filter(h, parts.query);
  auto rows = parse_json_lines(parts.list.out);
  if (!parts.query.problems.empty()) {
    page.status = 422;
    page.notices.push_back({Tone::kProblem, "The filter cannot be used as it is", {}});
  } else if (parts.list.exit_code != 0) {
    page.status = 503;
    page.notices.push_back(failure_notice("The queue cannot be shown", parts.list));
  } else {
    write_list(h, *visit, parts.query, rows ? std::move(*rows) : std::vector<Json>());
  }
  visit->show(std::move(page));
}

void list_page(const VisitPtr& visit) {
  auto parts = std::make_shared<ListParts>();
  parts->query = read_queue_query(visit->request().query);
  auto take = [visit, parts](Printed ListParts::*where, Printed& printed) {
    (*parts).*where = std::move(printed);
    if (--parts->open == 0) show_list(visit, *parts);
  };
  if (parts->query.problems.empty()) {
    std::vector<std::string> words = {"queue", "list", "--json", fmt::format("--limit={}", kQueueRows + 1)};
    for (std::string& word : filter_words(parts->query)) words.push_back(std::move(word));
    if (!parts->query.after.empty()) words.push_back("--after=" + parts->query.after);
    visit->collect(Role::kQueue, std::move(words), [take](Printed& p) { take(&ListParts::list, p); });
  } else {
    parts->open = 1;
  }
  visit->collect(Role::kQueue, {"queue", "status", "--json"},
                 [take](Printed& p) { take(&ListParts::totals, p); });
}

// ---- counts by next host

/// "to 5 min", and "older" for the last column.
std::string age_column(const std::vector<Json>& minutes, std::size_t column) {
  if (column == minutes.size()) return "older";
  std::int64_t n = minutes[column].integer();
  return n < 200 ? fmt::format("to {} min", n) : fmt::format("to {} h", n / 60);
}

void write_counts(Html& h, const Json& summary, bool by_sender) {
  const auto& minutes = summary["minutes"].items();
  h.open("div", {{"class", "scroll"}, {"tabindex", "0"}, {"role", "region"}, {"aria-label", "Counts"}});
  h.open("table", {{"class", "list counts"}}).open("thead").open("tr");
  h.element("th", {{"scope", "col"}}, by_sender ? "Sender's domain" : "Next host");
  h.element("th", {{"scope", "col"}, {"class", "right"}}, "Recipients");
  for (std::size_t i = 0; i <= minutes.size() && !minutes.empty(); ++i)
    h.element("th", {{"scope", "col"}, {"class", "right"}}, age_column(minutes, i));
  h.close("tr").close("thead").open("tbody");
  for (const Json& line : summary["lines"].items()) {
    std::string key = shortened(line[by_sender ? "sender_domain" : "hop"].text(), 400);
    QueueQuery query;
    (by_sender ? query.sender : query.hop) = by_sender && key != "<>" ? "*@" + key : key;
    h.open("tr").open("th", {{"scope", "row"}});
    bool group = key.starts_with('(');  // "(others)", "(no domain)": not to be filtered by
    if (group) {
      h.text(key);
    } else {
      h.link(queue_address(query), key);
    }
    h.close("th");
    h.element("td", {{"class", "right"}, {"data-label", "Recipients"}},
              count_text(line["recipients"].count()));
    const auto& ages = line["ages"].items();
    for (std::size_t i = 0; i < ages.size() && i <= minutes.size(); ++i)
      h.element(
          "td",
          {{"class", ages[i].count() == 0 ? "right none" : "right"}, {"data-label", age_column(minutes, i)}},
          count_text(ages[i].count()));
    h.close("tr");
  }
  h.close("tbody").close("table").close("div");
}

constexpr std::string_view kMostLines = "100";

void show_counts(const VisitPtr& visit, const Printed& printed, bool by_sender) {
  Page page;
  page.title = by_sender ? "Queue by the senders' domains" : "Queue by next host";
  page.place = "/queue";
  page.wide = true;
  page.crumbs = {{"/queue", "Queue"}};
  Json summary = json_of(printed);
  Html& h = page.body;
  h.open("p", {{"class", "lead"}});
  h.text("Recipients that wait, in columns by the age of their message. ");
  if (by_sender) {
    h.link("/queue/counts", "By next host");
  } else {
    h.link("/queue/counts?by=sender", "By the senders' domains");
  }
  h.close("p");
  if (summary.is_null()) {
    page.status = 503;
    page.notices.push_back(failure_notice("The queue cannot be counted", printed));
  } else if (summary["lines"].items().empty()) {
    h.element("p", {{"class", "blank"}}, "The queue is empty.");
  } else {
    write_counts(h, summary, by_sender);
  }
  visit->show(std::move(page));
}

void counts_page(const VisitPtr& visit) {
  bool by_sender = visit->query("by") == "sender";
  std::vector<std::string> words = {"queue", "summary", "--json", fmt::format("--limit={}", kMostLines)};
  if (by_sender) words.emplace_back("--senders");
  visit->collect(Role::kQueue, std::move(words),
                 [visit, by_sender](Printed& printed) { show_counts(visit, printed, by_sender); });
}

}  // namespace

void add_queue_pages(Routes& routes) {
  routes.add({.pattern = "/queue", .get = list_page});
  routes.add({.pattern = "/queue/counts", .get = counts_page});
  add_queue_act_pages(routes);
  add_queue_message_pages(routes);
}

}  // namespace wwwd
