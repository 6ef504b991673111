#include "lib/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <string>
#include <vector>

using namespace po::config;
using po::messages::Protocol;

namespace {
Parsed good(const std::string& text) {
  Parsed p = parse(text, "f");
  CAPTURE(text);
  for (const auto& problem : p.problems) UNSCOPED_INFO(problem);
  CHECK(p.problems.empty());
  return p;
}
}  // namespace

TEST_CASE("an empty file is the standard system") {
  Parsed p = good("# nothing\n\n");
  const Config& c = p.config;
  CHECK(c.user == "mta");
  CHECK(c.spool_directory == "/var/spool/post.office");
  CHECK(c.services.size() == 9);
  CHECK(c.processes("smtpd") == 2);
  CHECK(c.processes("pop3d") == 1);
  CHECK(c.processes("accounts") == 1);
  CHECK(c.processes("wwwd") == 1);
  CHECK(c.processes("fingerd") == 1);
  CHECK(c.processes("story") == 1);
  CHECK(c.processes("smtp-deliver") == 2);
  CHECK(good("smtp-deliver 5\n").config.processes("smtp-deliver") == 5);
  CHECK(good("smtp-deliver off\n").config.processes("smtp-deliver") == 0);
  CHECK(c.processes("unix-deliver") == 0);
  CHECK(good("unix-deliver on\n").config.processes("unix-deliver") == 1);
  CHECK(good("unix-deliver off\n").config.processes("unix-deliver") == 0);
  CHECK(c.processes("lmtp-deliver") == 0);
  Config store = good("unix-deliver /run/dovecot/lmtp\n").config;
  CHECK(store.lmtp_socket == "/run/dovecot/lmtp");
  CHECK(store.processes("lmtp-deliver") == 1);
  CHECK(store.processes("unix-deliver") == 0);
  CHECK(c.run_path("pid") == "/var/spool/post.office/run/pid");
  CHECK(c.services[0].listen[0].text() == "0.0.0.0:25");
  CHECK(c.services[0].listen[1].text() == "[::]:25");
  CHECK(c.services[2].implicit_tls);
  CHECK(c.services[3].listen[0].path == "/var/spool/post.office/run/submission");
}

TEST_CASE("inetd stands for an address, alone or beside others") {
  Config c = good("service a smtp inetd smtpd\nservice b pop3 127.0.0.1:1110,inetd pop3d\n").config;
  REQUIRE(c.services.size() == 2);
  CHECK(c.services[0].inetd);
  CHECK(c.services[0].listen.empty());
  CHECK(c.services[1].inetd);
  CHECK(c.services[1].listen.size() == 1);
  CHECK(c.any_inetd());
  CHECK_FALSE(good("service a smtp inetd smtpd off\n").config.any_inetd());
  CHECK_FALSE(good("").config.any_inetd());
  // on a Unix socket it is a path like any other
  c = good("service c command inetd accounts\n").config;
  CHECK_FALSE(c.services[0].inetd);
  CHECK(c.services[0].listen.size() == 1);
}

TEST_CASE("the web and finger") {
  Config c = good("").config;
  auto web =
      std::find_if(c.services.begin(), c.services.end(), [](const Service& s) { return s.name == "web"; });
  auto finger =
      std::find_if(c.services.begin(), c.services.end(), [](const Service& s) { return s.name == "finger"; });
  REQUIRE(web != c.services.end());
  REQUIRE(finger != c.services.end());
  CHECK(web->protocol == Protocol::kHttp);
  CHECK(web->implicit_tls);
  CHECK(web->listen[0].text() == "0.0.0.0:81");
  CHECK(web->listen[1].text() == "[::]:81");
  CHECK(finger->protocol == Protocol::kFinger);
  CHECK(finger->listen[0].text() == "0.0.0.0:79");
  // Story is there for wwwd alone.
  c = good("service w http 127.0.0.1:8080 wwwd processes=3\nservice f finger inetd fingerd\n").config;
  CHECK(c.processes("wwwd") == 3);
  CHECK(c.processes("story") == 1);
  CHECK_FALSE(c.services[0].implicit_tls);
  CHECK(c.services[1].inetd);
  CHECK(good("service f finger 127.0.0.1:79 fingerd\n").config.processes("story") == 0);
  CHECK(good("service w http 127.0.0.1:80 wwwd off\n").config.processes("story") == 0);
  for (const char* bad :
       {"service f finger 127.0.0.1:79 fingerd tls=implicit\n", "service w http 127.0.0.1:80 fingerd\n",
        "service w https 127.0.0.1:80 wwwd\n", "web-certificate /c.pem\n", "web-certificate c.pem k.pem\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse(bad, "f").problems.empty());
  }
}

TEST_CASE("protocols have names") {
  CHECK(protocol_name(Protocol::kHttp) == "http");
  CHECK(protocol_name(Protocol::kLocalSubmission) == "local-submission");
  for (const Service& service : good("").config.services) {
    std::string line = "service x " + std::string(protocol_name(service.protocol)) + " " +
                       service.listen[0].text() + " " + service.program + "\n";
    CHECK(good(line).config.services[0].protocol == service.protocol);
  }
}

TEST_CASE("every key") {
  Parsed p = good(
      "hostname Mail.Example.ORG\nuser po\ngroup po\nadmin-group wheel\nprogram-directory /opt/post.office/\n"
      "spool-directory /s\nmailbox-directory /m\nlog-directory /l\nlog stderr\nlog-size 5\nlog-files "
      "3\nlog-days 7\n"
      "certificate /c.pem /k.pem # comment\ncertificate /c2.pem /k2.pem\n"
      "web-certificate /w.pem /wk.pem\nresolver 192.0.2.1\nresolver "
      "[2001:db8::1]:5353\n"
      "service in smtp 127.0.0.1:2525 smtpd processes=4 sessions=50\n"
      "service out submission [::1]:2587,127.0.0.1:2587 smtpd off\n"
      "service cmd command /s/cmd accounts\n");
  const Config& c = p.config;
  CHECK(c.hostname == "mail.example.org");
  CHECK(c.admin_group == "wheel");
  CHECK(c.program("smtpd") == "/opt/post.office/smtpd");
  CHECK(c.log_to == LogTo::kStderr);
  CHECK(c.log_size == 5U << 20);
  CHECK(c.certificates.size() == 2);
  CHECK(c.certificates[1].key == "/k2.pem");
  REQUIRE(c.web_certificates.size() == 1);
  CHECK(c.web_certificates[0].chain == "/w.pem");
  CHECK(c.web_certificates[0].key == "/wk.pem");
  CHECK(c.resolvers == std::vector<std::string>{"192.0.2.1", "[2001:db8::1]:5353"});
  REQUIRE(c.services.size() == 3);
  CHECK(c.services[0].processes == 4);
  CHECK(c.services[0].sessions == 50);
  CHECK(c.services[1].off);
  CHECK(c.processes("smtpd") == 4);
  CHECK(c.processes("pop3d") == 0);
  CHECK(good("resolver none\n").config.resolvers_given);
}

TEST_CASE("problems name the line") {
  struct Row {
    const char* text;
    const char* says;
  };
  const std::string long_socket = "unix-deliver /" + std::string(107, 'x');
  const Row rows[] = {
      {"hostname localhost", "not fully qualified"},
      {"hostname -a.b", "not fully qualified"},
      {"hostname a.b c", "takes 1 word"},
      {"hostname", "takes 1 word"},
      {"user root:x", "name of a user"},
      {"user -rf", "name of a user"},
      {"spool-directory spool", "absolute path"},
      {"spool-directory /a/../etc", "absolute path"},
      {"log syslog", "write file or stderr"},
      {"log-size 0", "megabytes"},
      {"log-size 99999999999999999999", "megabytes"},
      {"log-days -1", "number"},
      {"certificate /only", "takes 2 words"},
      {"resolver dns.example", "IP address"},
      {"resolver 1.2.3.4:0", "IP address"},
      {"frobnicate yes", "not a key"},
      {"user a\nuser b", "second time"},
      {"service smtp smtp 0.0.0.0:25", "a service line is"},
      {"service smtp smtp 0.0.0.0 smtpd", "ADDRESS:PORT"},
      {"service smtp smtp 0.0.0.0:0 smtpd", "ADDRESS:PORT"},
      {"service smtp smtp 0.0.0.0:65536 smtpd", "ADDRESS:PORT"},
      {"service smtp smtp ::25 smtpd", "ADDRESS:PORT"},
      {"service smtp smtp 0.0.0.0:25, smtpd", "ADDRESS:PORT"},
      {"service smtp smtp 0.0.0.0:25 /bin/sh", "served by smtpd"},
      {"service smtp gopher 0.0.0.0:25 smtpd", "protocols are"},
      {"service smtp smtp 0.0.0.0:25 smtpd tls=implicit", "does not begin with TLS"},
      {"service smtp smtp 0.0.0.0:25 smtpd processes=0", "processes is a number"},
      {"service smtp smtp 0.0.0.0:25 smtpd processes=65", "processes is a number"},
      {"service smtp smtp 0.0.0.0:25 smtpd sessions=x", "sessions is a number"},
      {"service smtp smtp 0.0.0.0:25 smtpd on", "options are"},
      {"service c command run/command accounts processes=2", "one process of accounts"},
      {"service c command ../command accounts", "Unix socket"},
      {"service c command run/ accounts", "Unix socket"},
      {"service a smtp 0.0.0.0:25 smtpd\nservice a smtp 0.0.0.0:26 smtpd", "in line 1 already"},
      {"service a smtp 0.0.0.0:25 smtpd\nservice b smtp 0.0.0.0:25 smtpd", "taken by service a"},
      {"service a smtp 0.0.0.0:25 smtpd processes=2\nservice b smtp 0.0.0.0:26 smtpd processes=3",
       "share its processes"},
      {"smtp-deliver 0", "write off, or a number"},
      {"smtp-deliver 65", "write off, or a number"},
      {"smtp-deliver on", "write off, or a number"},
      {"unix-deliver 2", "write on, off, or the absolute path"},
      {"unix-deliver lmtp", "write on, off, or the absolute path"},
      {"unix-deliver /run/../lmtp", "without . and .."},
      {long_socket.c_str(), "at most 107 octets"},
      {"user mta\r", "carriage return"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    Parsed p = parse(row.text, "conf");
    REQUIRE(p.problems.size() == 1);
    CHECK(p.problems[0].find(row.says) != std::string::npos);
    std::string line = std::string(row.text).find('\n') == std::string::npos ? "conf:1: " : "conf:2: ";
    CHECK(p.problems[0].starts_with(line));
  }
  CHECK(parse("a\nb\nc\n", "f").problems.size() == 3);
}

TEST_CASE("a service that is off may share an address") {
  good("service a smtp 0.0.0.0:25 smtpd off\nservice b smtp 0.0.0.0:25 smtpd\n");
}

TEST_CASE("hostile octets give problems, bounded ones") {
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "x\n";
  CHECK(parse(many, "f").problems.size() <= 51);
  CHECK_FALSE(parse(std::string("user a\0b\n", 9), "f").problems.empty());
  std::string control = parse("\x1b[31mred x\n", "f").problems.at(0);
  CHECK(control.find('\x1b') == std::string::npos);
}

TEST_CASE("addresses with ports") {
  struct Row {
    const char* text;
    const char* want;  ///< empty: refused
  };
  const Row rows[] = {{"192.0.2.1", "192.0.2.1:53"},
                      {"192.0.2.1:5353", "192.0.2.1:5353"},
                      {"2001:db8::1", "[2001:db8::1]:53"},
                      {"[2001:db8::1]:99", "[2001:db8::1]:99"},
                      {"[2001:db8::1]", "[2001:db8::1]:53"},
                      {"[192.0.2.1]:5", ""},
                      {"192.0.2.1:", ""},
                      {"192.0.2.1:x", ""},
                      {"192.0.2.1:99999", ""},
                      {"[::1", ""},
                      {"[::1]x", ""},
                      {"", ""},
                      {":", ""},
                      {"1.2.3", ""}};
  for (const Row& row : rows) {
    CAPTURE(row.text);
    auto a = parse_address_port(row.text, 53);
    Endpoint e;
    if (a) e.address = *a;
    CHECK((a ? e.text() : "") == row.want);
  }
}

TEST_CASE("resolv.conf") {
  CHECK(parse_resolv_conf(
            "# c\nsearch a.b\nnameserver 192.0.2.1\nnameserver\tfe80::1%eth0\nnameserver ::1 extra\n") ==
        std::vector<std::string>{"192.0.2.1", "::1"});
  // resolv.conf(5): without one, the name server on this machine. An empty list would mean that DNS is off.
  for (const char* none : {"", "search a.b\n", "nameserver fe80::1%eth0\n"})
    CHECK(parse_resolv_conf(none) == std::vector<std::string>{"127.0.0.1"});
  CHECK(parse_resolv_conf("nameserver 1.1.1.1\nnameserver 1.1.1.2\nnameserver 1.1.1.3\nnameserver 1.1.1.4")
            .size() == 3);
}

TEST_CASE("a file that others may write is not trusted") {
  char name[] = "/tmp/config_test.XXXXXX";
  int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  close(fd);
  std::ofstream(name) << "hostname a.example\n";
  CHECK(read(name).problems.empty());
  CHECK(read(name).config.hostname == "a.example");
  chmod(name, 0666);
  CHECK(read(name).problems.at(0).find("writable by others") != std::string::npos);
  unlink(name);
  CHECK(read(name).problems.at(0).find("cannot be opened") != std::string::npos);
  CHECK(read("/tmp").problems.at(0).find("not a regular file") != std::string::npos);
}
