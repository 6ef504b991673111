#include "wwwd/setup_page.h"

#include <fmt/format.h>

#include <algorithm>

#include "wwwd/form_visit.h"
#include "wwwd/system_status.h"
#include "wwwd/visit.h"
#include "wwwd/words.h"

namespace wwwd {

using namespace po::messages;
using Severity = po::SetupFinding::Severity;

// ---- findings

namespace {

constexpr std::size_t kMostFindings = 150;

struct Look {
  std::string_view css, word;
};

Look look_of(Severity severity) {
  switch (severity) {
    case Severity::kGood:
      return {"tag good", "good"};
    case Severity::kNote:
      return {"tag warning", "look at it"};
    case Severity::kWrong:
      break;
  }
  return {"tag bad", "wrong"};
}

void write_finding(Html& h, const po::SetupFinding& f) {
  Look look = look_of(f.severity);
  h.open("li", {{"class", "finding"}});
  h.open("p").element("span", {{"class", look.css}}, look.word).text(" ");
  h.element("strong", shortened(f.subject, 300)).text(" ").text(shortened(f.text, 800)).close("p");
  if (!f.record.empty()) {
    h.element("p", {{"class", "hint"}}, "For the zone:");
    h.element("pre", {{"class", "record"}, {"tabindex", "0"}}, shortened(f.record, 800));
  }
  h.close("li");
}

}  // namespace

void write_findings(Html& h, const std::vector<po::SetupFinding>& findings) {
  std::vector<const po::SetupFinding*> sorted;
  for (const po::SetupFinding& f : findings) sorted.push_back(&f);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto* a, const auto* b) { return a->severity > b->severity; });
  h.open("ul", {{"class", "findings"}});
  for (std::size_t i = 0; i < sorted.size() && i < kMostFindings; ++i) write_finding(h, *sorted[i]);
  h.close("ul");
  if (sorted.size() > kMostFindings)
    h.element("p",
              fmt::format("The first {} of {}, the worst first.", kMostFindings, count_text(sorted.size())));
}

// ---- the page

namespace {

std::vector<std::string> values_of(const WebForm& form, std::string_view field) {
  for (const WebField& f : form.values)
    if (f.name == field) return f.values;
  return {};
}

void write_certificates(Html& h, const SystemStatus& system) {
  h.element("h2", "Certificates");
  if (!system.known) {
    h.element("p", "Their state is not known just now. Load the page again in a moment.");
    return;
  }
  if (system.certificates.empty())
    h.element("p", "There is none: every service goes without TLS. Name one in post.office.conf.");
  h.open("ul", {{"class", "findings"}});
  for (const CertificateStatus& c : system.certificates) {
    bool bad = !c.days || *c.days < 0, soon = c.days.value_or(0) <= 14;
    h.open("li", {{"class", "finding"}}).open("p");
    h.element("span", {{"class", bad ? "tag bad" : soon ? "tag warning" : "tag good"}}, c.text).text(" ");
    h.element("strong", "for " + c.used_by).text(" ").element("span", {{"class", "id"}}, c.file);
    h.close("p").close("li");
  }
  h.close("ul");
  h.element("p", {{"class", "hint"}},
            "Put a new one into its file; post.office reload takes it without ending a session.");
}

std::string_view tls_of(const PortStatus& port) {
  if (port.tls) return "from the start";
  bool network = !port.address.starts_with('/');
  bool starts = port.protocol == "smtp" || port.protocol == "submission" || port.protocol == "pop3";
  return network && starts ? "if the client asks" : "none";
}

void write_ports(Html& h, const SystemStatus& system) {
  h.element("h2", "Ports").open("table", {{"class", "list"}}).open("thead").open("tr");
  for (std::string_view name : {"Address", "For", "TLS", "By"}) h.element("th", {{"scope", "col"}}, name);
  h.close("tr").close("thead").open("tbody");
  for (const PortStatus& p : system.ports) {
    h.open("tr").element("th", {{"scope", "row"}}, p.address);
    h.element("td", {{"data-label", "For"}},
              p.service == p.protocol ? p.service : p.service + ": " + p.protocol);
    h.element("td", {{"data-label", "TLS"}}, tls_of(p));
    h.element("td", {{"data-label", "By"}, {"class", "short"}}, p.program);
    h.close("tr");
  }
  h.close("tbody").close("table");
}

void show_setup(const VisitPtr& visit, const SetupDesk::Findings& findings, const SystemStatus& system) {
  Page page;
  page.title = "Set-up check";
  page.place = "/setup";
  Html& h = page.body;
  auto wrong = std::count_if(findings.begin(), findings.end(),
                             [](const auto& f) { return f.severity == Severity::kWrong; });
  h.element(
      "p", {{"class", "lead"}},
      "What other hosts find of this one in DNS, asked just now. A record that is missing stands below its "
      "finding, ready to be pasted into the zone of the domain.");
  h.element("h2", wrong == 0 ? std::string("DNS") : fmt::format("DNS: {} wrong", wrong));
  write_findings(h, findings);
  write_certificates(h, system);
  if (!system.ports.empty()) write_ports(h, system);
  visit->show(std::move(page));
}

void setup_page(const VisitPtr& visit, const std::shared_ptr<SetupDesk>& desk) {
  check_setup(visit, *desk, [visit](const SetupDesk::Findings& findings) {
    auto copy = std::make_shared<SetupDesk::Findings>(findings);
    visit->ask<WebAskStatus>({}, [visit, copy](WebStatus& status) {
      auto json = parse_json(status.text);
      show_setup(visit, *copy, read_system_status(json ? *json : Json()));
    });
  });
}

}  // namespace

void check_setup(const std::shared_ptr<Visit>& visit, SetupDesk& desk, SetupDesk::OnFindings then) {
  with_form(visit, "mail-routing", 0, [&desk, then = std::move(then)](WebForm& form) {
    desk.check(values_of(form, "Local-Mail-Domains"), values_of(form, "Relay-Domains"), then);
  });
}

void add_setup_page(Routes& routes, std::shared_ptr<SetupDesk> desk) {
  routes.add({.pattern = "/setup", .get = [desk](const VisitPtr& visit) { setup_page(visit, desk); }});
}

}  // namespace wwwd
