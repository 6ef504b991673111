#include "dispatcher/dns_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "dispatcher/client.h"
#include "lib/directory/reader.h"
#include "lib/dns.h"
#include "lib/interfaces.h"
#include "lib/setup_check.h"
#include "lib/text.h"

namespace dispatcher {

using po::SetupFinding;
using po::config::Config;

static po::SetupQuestion question_of(const Config& config) {
  po::SetupQuestion question{config.hostname, po::own_addresses(), {}, {}};
  auto reader = directory::Reader::open(config.spool_directory + "/directory", config.hostname);
  auto settings = reader ? reader->settings() : po::Result<std::shared_ptr<const directory::Settings>>();
  if (!reader || !settings || !*settings) {
    fmt::print("note   no account database to be read in {}: only {} is asked\n", config.spool_directory,
               config.hostname);
    return question;
  }
  question.local_domains = (*settings)->local_domains;
  question.relay_domains = (*settings)->relay_domains;
  return question;
}

static void print_finding(const SetupFinding& finding) {
  static constexpr const char* kWords[] = {"ok    ", "note  ", "WRONG "};
  fmt::print("{} {}: {}\n", kWords[static_cast<int>(finding.severity)], po::for_terminal(finding.subject),
             po::for_terminal(finding.text, 1000));
  std::istringstream records(finding.record);
  for (std::string record; std::getline(records, record);)
    fmt::print("           {}\n", po::for_terminal(record, 1000));
}

static int print_findings(const std::vector<SetupFinding>& findings) {
  for (const SetupFinding& finding : findings) print_finding(finding);
  auto wrong = std::count_if(findings.begin(), findings.end(), [](const SetupFinding& f) {
    return f.severity == SetupFinding::Severity::kWrong;
  });
  fmt::print("{}\n", wrong == 0 ? "Nothing is wrong."
                                : fmt::format("{} thing{} wrong.", wrong, wrong == 1 ? " is" : "s are"));
  return wrong == 0 ? 0 : 1;
}

int run_dns_check(const po::config::Parsed& parsed) {
  for (const std::string& problem : parsed.problems) fmt::print("WRONG  {}\n", problem);
  if (!parsed.problems.empty()) return 1;
  const Config& config = parsed.config;
  auto options = po::read_resolver_options(config.resolvers);
  if (!options || options->servers.empty()) {
    fmt::print("WRONG  {}\n",
               options ? "no resolver is configured: DNS cannot be asked" : options.error().text);
    return 1;
  }
  po::Loop loop;
  po::Resolver resolver(loop, std::move(*options));
  int status = kExitTemporary;
  po::SetupCheck check(resolver, question_of(config), [&](std::vector<SetupFinding> findings) {
    status = print_findings(findings);
    loop.stop();
  });
  loop.run();
  return status;
}

}  // namespace dispatcher
