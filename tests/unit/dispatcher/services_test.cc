#include "dispatcher/services.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

using namespace dispatcher;

namespace {

struct TemporaryDirectory {
  std::string path;
  TemporaryDirectory() {
    char name[] = "/tmp/services_test.XXXXXX";
    path = mkdtemp(name);
  }
  ~TemporaryDirectory() {
    unlink((path + "/s").c_str());
    rmdir(path.c_str());
  }
};

/// A port of 127.0.0.1 that is free just now.
std::uint16_t free_port() {
  po::Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof in;
  REQUIRE(bind(fd.get(), reinterpret_cast<sockaddr*>(&in), length) == 0);
  getsockname(fd.get(), reinterpret_cast<sockaddr*>(&in), &length);
  return ntohs(in.sin_port);
}

po::config::Config config_of(const std::string& text) {
  auto parsed = po::config::parse(text, "f");
  REQUIRE(parsed.problems.empty());
  return parsed.config;
}

}  // namespace

TEST_CASE("the processes of a service table") {
  auto children =
      wanted_children(config_of("service a smtp 0.0.0.0:25 smtpd processes=3\nservice b pop3 0.0.0.0:110 "
                                "pop3d\nservice c command run/c accounts\n"));
  std::string names;
  for (const auto& c : children) names += c.name + " ";
  CHECK(names == "accounts queue smtpd.1 smtpd.2 smtpd.3 pop3d.1 smtp-deliver.1 smtp-deliver.2 ");
  CHECK(wanted_children(config_of("service a smtp 0.0.0.0:25 smtpd off\nsmtp-deliver off\n")).size() == 2);
  CHECK(wanted_children(config_of("service a smtp 0.0.0.0:25 smtpd off\nsmtp-deliver 4\n")).size() == 6);
}

TEST_CASE("descriptors: enough for each session at its worst") {
  po::config::Config config;
  po::config::Service service;
  service.listen.resize(2);
  service.sessions = 100;
  for (const char* program : {"smtpd", "pop3d"}) {
    service.program = program;
    config.services.push_back(service);
  }
  CHECK(descriptor_limit(config, "smtpd") >= 100 * 2 * 2);  // the client, a body's file
  CHECK(descriptor_limit(config, "pop3d") >=
        100 * 2 * 3);  // the client, a file that is sent, one asked ahead
}

TEST_CASE("binding: done, taken, and off") {
  std::string port = std::to_string(free_port());
  auto config =
      config_of("service a smtp 127.0.0.1:" + port + " smtpd\nservice b smtp 127.0.0.1:1 smtpd off\n");
  auto first = bind_network_ports(config, {}, 0);
  REQUIRE(first.has_value());
  CHECK(first->ports.size() == 1);
  CHECK(first->ports[0].service.name == "a");
  auto second = bind_network_ports(config, {}, 0);
  REQUIRE_FALSE(second.has_value());
  CHECK(second.error().text.find("service a, f:1") != std::string::npos);
  CHECK(second.error().text.find("another program has it") != std::string::npos);
}

TEST_CASE("what is written to a client leaves at once") {
  std::uint16_t port = free_port();
  auto bound =
      bind_network_ports(config_of("service a smtp 127.0.0.1:" + std::to_string(port) + " smtpd\n"), {}, 0);
  REQUIRE(bound.has_value());
  po::Fd client(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  in.sin_port = htons(port);
  REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  po::Fd accepted(accept(bound->ports[0].socket.get(), nullptr, nullptr));
  int yes = 0;
  socklen_t size = sizeof yes;
  REQUIRE(getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &yes, &size) == 0);
  CHECK(yes != 0);
}

TEST_CASE("what is written to a client leaves at once, on a socket that was handed over too") {
  auto config = config_of("service a smtp 127.0.0.1:" + std::to_string(free_port()) + " smtpd\n");
  auto bound = bind_network_ports(config, {}, 0);
  REQUIRE(bound.has_value());
  int value = 0;
  socklen_t size = sizeof value;
  REQUIRE(setsockopt(bound->ports[0].socket.get(), IPPROTO_TCP, TCP_NODELAY, &value, size) == 0);
  std::vector<InheritedSocket> inherited;
  inherited.push_back({std::move(bound->ports[0].socket), "a", bound->ports[0].endpoint(), true});
  auto adopted = bind_network_ports(config, std::move(inherited), 0);
  REQUIRE(adopted.has_value());
  REQUIRE(getsockopt(adopted->ports[0].socket.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size) == 0);
  CHECK(value != 0);
}

TEST_CASE("a socket that was handed over is taken by address or by name") {
  std::string port = std::to_string(free_port());
  auto config = config_of("service a smtp 127.0.0.1:" + port + " smtpd\n");
  auto bound = bind_network_ports(config, {}, 0);
  REQUIRE(bound.has_value());
  int fd = bound->ports[0].socket.get();
  std::vector<InheritedSocket> inherited;
  inherited.push_back({std::move(bound->ports[0].socket), "whatever", bound->ports[0].endpoint()});
  auto adopted = bind_network_ports(config, std::move(inherited), 0);
  REQUIRE(adopted.has_value());
  REQUIRE(adopted->ports.size() == 1);
  CHECK(adopted->ports[0].socket.get() == fd);

  std::vector<InheritedSocket> named;
  named.push_back({std::move(adopted->ports[0].socket), "a", adopted->ports[0].endpoint()});
  auto by_name = bind_network_ports(config, std::move(named), 0);
  REQUIRE(by_name.has_value());
  CHECK(by_name->ports[0].socket.get() == fd);
  CHECK(by_name->warnings.empty());
  CHECK(by_name->ports[0].inherited);
}

TEST_CASE("a socket that was handed over must be of the kind that its service has") {
  auto config = config_of("service a smtp 127.0.0.1:" + std::to_string(free_port()) +
                          " smtpd\nservice l local-submission run/l smtpd\n");
  po::config::Endpoint path, address;
  path.path = "/run/a";
  address.address = *po::config::parse_address_port("127.0.0.1:1", 0);
  auto any = [] { return po::Fd(socket(AF_UNIX, SOCK_STREAM, 0)); };
  std::vector<InheritedSocket> inherited;
  inherited.push_back({any(), "a", path, true});
  inherited.push_back({any(), "l", address, true});
  inherited.push_back({any(), "a", address, false});
  auto bound = bind_network_ports(config, std::move(inherited), 0);
  REQUIRE(bound.has_value());
  REQUIRE(bound->ports.size() == 1);  // the one that the line names
  CHECK_FALSE(bound->ports[0].inherited);
  REQUIRE(bound->warnings.size() == 3);
  CHECK(bound->warnings[0].find("socket a (/run/a) was handed over, but no service in f") == 0);
  CHECK(bound->warnings[2].find("it is not a stream socket that listens") != std::string::npos);
}

TEST_CASE("run/inetd: for the suite's user alone, and only if a service wants it") {
  TemporaryDirectory dir;
  REQUIRE(mkdir((dir.path + "/run").c_str(), 0700) == 0);
  std::string text = "spool-directory " + dir.path + "\nservice a smtp inetd smtpd";
  std::string path = dir.path + "/run/inetd";
  Ports ports;
  REQUIRE(bind_unix_ports(config_of(text + " off\n"), ports, 0).has_value());
  CHECK_FALSE(ports.inetd);
  REQUIRE(bind_unix_ports(config_of(text + "\n"), ports, 0).has_value());
  CHECK(ports.inetd);
  CHECK(ports.ports.empty());
  struct stat st {};
  CHECK(stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  unlink(path.c_str());
  rmdir((dir.path + "/run").c_str());
}

TEST_CASE("Unix sockets: open to all, a stale one is replaced, a live one is not") {
  TemporaryDirectory dir;
  auto config = config_of("spool-directory " + dir.path + "\nservice c command s accounts\n");
  std::string path = dir.path + "/s";
  Ports first;
  REQUIRE(bind_unix_ports(config, first, 0).has_value());
  struct stat st {};
  REQUIRE(stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0666);
  Ports second;
  CHECK_FALSE(bind_unix_ports(config, second, 0).has_value());
  first.ports.clear();  // closed, but its name stays
  REQUIRE(bind_unix_ports(config, second, 0).has_value());
  CHECK(second.ports.size() == 1);
}

TEST_CASE("something else in the place of a socket is left alone") {
  TemporaryDirectory dir;
  auto config = config_of("spool-directory " + dir.path + "\nservice c command s accounts\n");
  po::Fd file(creat((dir.path + "/s").c_str(), 0600));
  Ports ports;
  CHECK_FALSE(bind_unix_ports(config, ports, 0).has_value());
  CHECK(access((dir.path + "/s").c_str(), F_OK) == 0);
}
