#include "dispatcher/system_facts.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>

#include "lib/wire.h"

using namespace dispatcher;

static StatusRow row(std::string name, std::string module, std::string state) {
  StatusRow out;
  out.name = std::move(name);
  out.module = std::move(module);
  out.state = std::move(state);
  return out;
}

TEST_CASE("system facts: a module's line ends with the state of its processes") {
  auto parsed = po::config::parse("service smtp smtp 127.0.0.1:25 smtpd processes=3\n", "file");
  REQUIRE(parsed.problems == std::vector<std::string>{});
  auto line_of = [&](const std::vector<StatusRow>& rows) {
    for (const std::string& line : system_facts(parsed.config, rows).modules)
      if (line.starts_with("SMTP-Accept: ")) return line;
    return std::string();
  };
  CHECK(line_of({}) == "SMTP-Accept: smtpd, 3 processes, not running");
  CHECK(line_of({row("queue", "Queue", "down"), row("smtpd.1", "SMTP-Accept", "up"),
                 row("smtpd.2", "SMTP-Accept", "up"), row("smtpd.3", "SMTP-Accept", "up")}) ==
        "SMTP-Accept: smtpd, 3 processes, up");
  CHECK(line_of({row("smtpd.1", "SMTP-Accept", "up"), row("smtpd.2", "SMTP-Accept", "starting"),
                 row("smtpd.3", "SMTP-Accept", "up")}) ==
        "SMTP-Accept: smtpd, 3 processes, 2 up, 1 starting");
}

// Facts that do not fit would end accounts at each start.
TEST_CASE("system facts: those of the largest configuration fit into their frame") {
  auto path = [](char c) { return "/" + std::string(3999, c); };
  std::string text =
      fmt::format("program-directory {}\nspool-directory {}\nmailbox-directory {}\nlog-directory {}\n",
                  path('p'), path('s'), path('m'), path('l'));
  bool sockets = GENERATE(false, true);
  for (int service = 10; service < 74; ++service) {
    std::string listen;
    for (int i = 10; i < 26; ++i) {
      std::string number = std::to_string(service) + std::to_string(i);
      listen += (i == 10 ? "" : ",") + (sockets ? "/" + std::string(85, 'x') + number
                                                : "[2001:db8:1111:2222:3333:4444:5555:" + number + "]:10000");
    }
    text += fmt::format("service {}{} {} {} {}\n", std::string(30, 'n'), service,
                        sockets ? "local-submission" : "submission", listen,
                        sockets ? "smtpd" : "smtpd tls=implicit");
  }
  auto parsed = po::config::parse(text, "file");
  CHECK(parsed.problems == std::vector<std::string>{});
  auto facts = system_facts(parsed.config, {});
  CHECK(facts.ports.size() == 64 * 16);
  std::string octets = po::wire::encode(facts);
  CHECK(octets.size() > 128 * 1024);
  CHECK(octets.size() <= po::messages::SystemFacts::kMax);
}
