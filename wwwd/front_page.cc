#include "wwwd/front_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "wwwd/account_place.h"
#include "wwwd/command_answer.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;

// ---- what needs attention

void write_concerns(Html& h, const std::vector<Concern>& concerns) {
  if (concerns.empty()) {
    h.open("div", {{"class", "notice done"}});
    h.element("p", {{"class", "notice-title"}}, "All is well");
    h.element("p", "Every module is up, and nothing needs your attention.").close("div");
    return;
  }
  h.element("h2", {{"class", "first"}}, "What needs your attention").open("ul", {{"class", "concerns"}});
  for (const Concern& c : concerns) {
    bool wrong = c.weight == Concern::Weight::kWrong;
    h.open("li", {{"class", wrong ? "notice problem" : "notice warning"}});
    h.element("p", {{"class", "notice-title"}}, c.what);
    h.open("p").text(c.todo);
    if (!c.path.empty()) h.text(" ").link(c.path, c.link);
    h.close("p").close("li");
  }
  h.close("ul");
}

// ---- numbers

namespace {

struct Tile {
  std::string_view name, path;
  std::string value, beside;
};

void write_tile(Html& h, const Tile& tile) {
  h.open("div", {{"class", "tile"}});
  h.open("dt");
  if (tile.path.empty()) {
    h.text(tile.name);
  } else {
    h.link(tile.path, tile.name);
  }
  h.close("dt").open("dd").element("strong", tile.value);
  if (!tile.beside.empty()) h.text(" ").element("span", {{"class", "under"}}, tile.beside);
  h.close("dd").close("div");
}

Tile waiting_tile(const QueueStatus& q) {
  Tile tile{"Waiting in the queue", "/queue", "unknown", ""};
  if (!q.known) return tile;
  tile.value = count_text(q.waiting);
  if (q.waiting == 0) {
    tile.beside = "recipients";
  } else {
    tile.beside = q.waiting == 1 ? "recipient" : "recipients";
    if (q.messages > 0) tile.beside += " of " + count_of(q.messages, "message");
    if (q.deferred > 0) tile.beside += fmt::format(", {} put off", count_text(q.deferred));
  }
  return tile;
}

Tile oldest_tile(const QueueStatus& q) {
  return {"Oldest in the queue", "", q.oldest ? span_text(*q.oldest) : q.known ? "none" : "unknown", ""};
}

Tile held_tile(const QueueStatus& q) {
  return {"Held", "/queue?state=held", q.known ? count_text(q.held) : "unknown",
          q.held > 0 ? "until you decide" : "recipients"};
}

Tile disk_tile(const QueueStatus& q) {
  return {"Disk space left for mail", "", q.known ? octets_text(q.free_octets) : "unknown",
          q.known ? octets_text(q.store_octets) + " of mail" : ""};
}

Tile certificate_tile(const SystemStatus& s) {
  Tile tile{"Certificate", "/setup", s.known ? "none" : "unknown", ""};
  const CertificateStatus* c = s.shortest_certificate();
  if (c == nullptr) return tile;
  if (!c->days) {
    tile.value = c->text;
  } else if (*c->days < 0) {
    tile.value = "ended";
  } else {
    tile.value = count_of(static_cast<std::uint64_t>(*c->days), "day");
    tile.beside = "left";
  }
  return tile;
}

}  // namespace

void write_tiles(Html& h, const SystemStatus& s, const QueueStatus& q) {
  h.element("h2", "Numbers").open("dl", {{"class", "tiles"}});
  for (const Tile& tile : {waiting_tile(q), oldest_tile(q), held_tile(q), disk_tile(q), certificate_tile(s)})
    write_tile(h, tile);
  if (s.failed_log_ins)
    write_tile(
        h, {"Failed log-ins", "/settings/system-security", count_text(*s.failed_log_ins), "in the last day"});
  h.close("dl");
}

// ---- modules

namespace {

void write_cell(Html& h, std::string_view label, std::string_view text) {
  h.element("td", {{"class", "right"}, {"data-label", label}}, text);
}

void write_module(Html& h, const ModuleStatus& m) {
  bool up = m.state == "up";
  h.open("tr").open("th", {{"scope", "row"}}).text(m.module);
  if (m.name.find('.') != std::string::npos) h.text(" ").element("span", {{"class", "tag"}}, m.name);
  h.close("th").open("td", {{"data-label", "State"}});
  h.element("span", {{"class", up && !m.silent() ? "tag good" : "tag bad"}}, m.silent() ? "silent" : m.state)
      .close("td");
  write_cell(h, "Up for", up ? span_text(m.uptime) : "–");
  write_cell(h, "Started again", count_text(m.restarts));
  write_cell(h, "Sessions now", count_text(m.sessions));
  write_cell(h, "Served", count_text(m.served));
  write_cell(h, "Refused", count_text(m.refused));
  h.close("tr");
}

}  // namespace

void write_modules(Html& h, const std::vector<ModuleStatus>& modules) {
  h.element("h2", "Modules").open("table", {{"class", "list"}}).open("thead").open("tr");
  h.element("th", {{"scope", "col"}}, "Module").element("th", {{"scope", "col"}}, "State");
  for (std::string_view name : {"Up for", "Started again", "Sessions now", "Served", "Refused"})
    h.element("th", {{"scope", "col"}, {"class", "right"}}, name);
  h.close("tr").close("thead").open("tbody");
  for (const ModuleStatus& m : modules) write_module(h, m);
  h.close("tbody").close("table");
}

// ---- the page

namespace {

/// Five questions at once; the page is made when all are answered.
struct Parts {
  WebStatus status;
  WebAccounts accounts;
  Printed queue, summary, oldest;
  int open = 5;
};

void show_front(const VisitPtr& visit, Parts& parts) {
  auto json = parse_json(parts.status.text);
  SystemStatus system = read_system_status(json ? *json : Json());
  std::vector<Json> rows = json_lines_of(parts.oldest);
  QueueStatus queue = read_queue_status(json_of(parts.queue), json_of(parts.summary),
                                        rows.empty() ? Json() : rows.front(), std::time(nullptr));
  Page page;
  page.title = "Overview";
  page.place = "/";
  page.wide = true;
  Html& h = page.body;
  if (!system.known)
    page.notices.push_back({Tone::kProblem, "The state of the modules is not known just now", {}});
  if (!queue.known) page.notices.push_back(failure_notice("The queue does not answer", parts.queue));
  if (system.known) write_concerns(h, concerns_of(system, queue));
  write_tiles(h, system, queue);
  if (!system.rates.rates.empty()) {
    h.element("h2", "The last day");
    draw_rates(h, system.rates);
  }
  write_modules(h, system.modules);
  if (parts.accounts.kind == po::Kind::kDone) {
    h.element("h2", "List of Accounts");
    write_accounts(h, parts.accounts);
  }
  visit->show(std::move(page));
}

void front_page(const VisitPtr& visit) {
  if (!visit->viewer().postmaster) return visit->see_other("/account");
  auto parts = std::make_shared<Parts>();
  auto part_done = [visit, parts] {
    if (--parts->open == 0) show_front(visit, *parts);
  };
  visit->ask<WebAskStatus>({}, [parts, part_done](WebStatus& status) {
    parts->status = std::move(status);
    part_done();
  });
  visit->ask<WebAskAccounts>(first_accounts(), [parts, part_done](WebAccounts& accounts) {
    parts->accounts = std::move(accounts);
    part_done();
  });
  auto ask_queue = [&](std::vector<std::string> words, Printed Parts::*where) {
    visit->collect(Role::kQueue, std::move(words), [parts, part_done, where](Printed& printed) {
      (*parts).*where = std::move(printed);
      part_done();
    });
  };
  ask_queue({"queue", "status", "--json"}, &Parts::queue);
  ask_queue({"queue", "summary", "--json", "--limit=1"}, &Parts::summary);
  ask_queue({"queue", "list", "--json", "--limit=1"}, &Parts::oldest);
}

}  // namespace

void add_front_page(Routes& routes) {
  routes.add({.pattern = "/", .get = front_page});
}

}  // namespace wwwd
