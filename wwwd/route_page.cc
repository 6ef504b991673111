#include "wwwd/route_page.h"

#include <fmt/format.h>

#include "lib/text.h"
#include "wwwd/command_answer.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using po::messages::Role;

namespace {

constexpr std::size_t kMostText = 600;
constexpr std::size_t kMostTargets = 50;
constexpr std::size_t kMostHosts = 30;

struct Verdict {
  std::string_view name, css, words, meaning;
};
constexpr Verdict kVerdicts[] = {
    {"local", "tag good", "ours", "Mail for it is taken from anybody."},
    {"relay-domain", "tag good", "relayed",
     "Its domain is one of the Relay-Domains: mail for it is taken from anybody and passed on."},
    {"remote", "tag", "elsewhere",
     "Mail for it is taken from those who may send anywhere: who is logged in, and the Relay-Networks."},
    {"unknown", "tag bad", "refused", "Mail for it is refused."},
    {"loop", "tag bad", "refused", "Mail for it is refused, because its way leads round in a circle."},
};

void write_verdict(Html& h, const Json& answer) {
  h.open("p", {{"class", "verdict"}});
  h.element("strong", shortened(answer["address"].text(), kMostText)).text(" ");
  for (const Verdict& v : kVerdicts) {
    if (v.name != answer["verdict"].text()) continue;
    h.element("span", {{"class", v.css}}, v.words).text(" ").text(v.meaning);
  }
  h.close("p");
  if (!answer["why"].text().empty()) h.element("p", shortened(answer["why"].text(), kMostText));
}

void write_steps(Html& h, const Json& answer) {
  if (answer["steps"].items().empty()) return;
  h.element("h2", "How the address was understood").open("ol", {{"class", "steps"}});
  for (const Json& step : answer["steps"].items()) h.element("li", shortened(step.text(), kMostText));
  h.close("ol");
}

std::string_view tls_text(std::string_view tls) {
  if (tls == "none") return "no TLS";
  if (tls == "required") return "TLS or not at all";
  if (tls == "verified") return "TLS with a certificate that is checked, or not at all";
  return "TLS where the host offers it";
}

std::string hop_text(const Json& hop) {
  std::string host = shortened(hop["host"].text(), kMostText);
  std::string out = hop["by_mx"].flag()
                        ? fmt::format("To the MX hosts of {}", host)
                        : fmt::format("To {}, port {}, and no other host", host, hop["port"].count());
  out += fmt::format("; {}", tls_text(hop["tls"].text()));
  struct Option {
    std::string_view name, words;
  };
  for (const Option& o :
       {Option{"user", "logged in as"}, {"source", "from address"}, {"helo", "greeting as"}}) {
    const std::string& value = hop[o.name].text();
    if (!value.empty()) out += fmt::format("; {} {}", o.words, shortened(value, kMostText));
  }
  return out + ".";
}

void write_hosts(Html& h, const Json& target) {
  const auto& hosts = target["hosts"].items();
  if (hosts.empty()) return;
  bool known = target["hosts_known"].flag();
  h.element("p", known ? "Hosts that would be tried, in this order:" : "The hosts cannot be told now:");
  h.open("ol", {{"class", "steps"}});
  for (std::size_t i = 0; i < hosts.size() && i < kMostHosts; ++i)
    h.element("li", shortened(po::trim(hosts[i].text()), kMostText));
  h.close("ol");
}

void write_target(Html& h, const Json& target) {
  const std::string& kind = target["kind"].text();
  h.open("section", {{"class", "card"}}).element("h3", shortened(target["address"].text(), kMostText));
  if (kind == "mailbox") {
    std::uint64_t account = target["account"].count();
    h.open("p").text("Into the mailbox of ");
    h.link(fmt::format("/accounts/{}", account), fmt::format("account {}", account)).text(".").close("p");
  } else if (kind == "maildrop") {
    std::uint64_t account = target["account"].count();
    h.open("p").text("Into the mail drop on this host of ");
    h.link(fmt::format("/accounts/{}", account), fmt::format("account {}", account)).text(".").close("p");
  } else if (kind == "held") {
    h.element("p", "Held in the queue until the Postmaster decides.");
  } else {
    h.element("p", hop_text(target["hop"]));
    write_hosts(h, target);
  }
  h.close("section");
}

}  // namespace

void write_rehearsal(Html& h, const Json& answer) {
  write_verdict(h, answer);
  write_steps(h, answer);
  const auto& targets = answer["targets"].items();
  if (targets.empty()) return;
  h.element("h2",
            targets.size() == 1 ? "Where it goes" : fmt::format("Where it goes: {} ways", targets.size()));
  for (std::size_t i = 0; i < targets.size() && i < kMostTargets; ++i) write_target(h, targets[i]);
  if (targets.size() > kMostTargets) h.element("p", fmt::format("The first {} are shown.", kMostTargets));
}

namespace {

struct Asked {
  std::string address, from, problem;
};

void write_field(Html& h, std::string_view name, std::string_view label, std::string_view value,
                 std::string_view hint, std::string_view problem) {
  std::string error_id = fmt::format("{}-error", name);
  h.open("div", {{"class", "filter-field grow"}});
  h.element("label", {{"for", name}}, label);
  h.empty("input", {{"id", name},
                    {"name", name},
                    {"value", value},
                    {"placeholder", hint},
                    {"inputmode", "email"},
                    {"autocapitalize", "none"},
                    {"spellcheck", "false"},
                    {"maxlength", 640},
                    html::Attribute::unless_empty("aria-invalid", problem.empty() ? "" : "true"),
                    html::Attribute::unless_empty("aria-describedby", problem.empty() ? "" : error_id)});
  if (!problem.empty()) h.element("span", {{"class", "error"}, {"id", error_id}}, problem);
  h.close("div");
}

Page begin_page(const Asked& asked) {
  Page page;
  page.title = "Routing rehearsal";
  page.place = "/route";
  if (!asked.problem.empty()) page.status = 422;
  Html& h = page.body;
  h.element("p", {{"class", "lead"}}, "Where would mail for an address go, and why? Nothing is sent.");
  h.open("form", {{"method", "get"}, {"action", "/route"}, {"class", "filter"}});
  write_field(h, "address", "Mail for", asked.address, "jane@podunk.edu", asked.problem);
  write_field(h, "from", "From (if that matters)", asked.from, "anybody", "");
  h.open("div", {{"class", "filter-buttons"}})
      .element("button", {{"type", "submit"}, {"class", "primary"}}, "Rehearse");
  h.close("div").close("form");
  return page;
}

void show_answer(const VisitPtr& visit, Asked asked, const Printed& printed) {
  Json answer = json_of(printed);
  if (answer.is_null() && printed.exit_code != 75) asked.problem = failure_text(printed);
  Page page = begin_page(asked);
  if (!answer.is_null()) {
    write_rehearsal(page.body, answer);
    page.body.open("p", {{"class", "links"}});
    page.body.link("/settings/mail-routing", "Mail Routing").text(" ");
    page.body.link("/settings/channel-aliases", "SMTP Channel Aliases").close("p");
  } else if (asked.problem.empty()) {
    page.status = 503;
    page.notices.push_back(failure_notice("The queue could not be asked", printed));
  }
  visit->show(std::move(page));
}

void route_page(const VisitPtr& visit) {
  if (!visit->viewer().postmaster) return visit->refuse_user();
  Asked asked{
      std::string(po::trim(visit->query("address"))), std::string(po::trim(visit->query("from"))), {}};
  if (asked.address.empty()) return visit->show(begin_page(asked));
  if (asked.address.starts_with("--")) asked.problem = "An address does not begin with --.";
  if (!asked.problem.empty()) return visit->show(begin_page(asked));
  std::vector<std::string> words = {"route", asked.address, "--json"};
  if (!asked.from.empty()) words.insert(words.end(), {"--from", asked.from});
  visit->collect(Role::kQueue, std::move(words),
                 [visit, asked = std::move(asked)](Printed& printed) { show_answer(visit, asked, printed); });
}

}  // namespace

void add_route_page(Routes& routes) {
  routes.add({.pattern = "/route", .get = route_page});
}

}  // namespace wwwd
