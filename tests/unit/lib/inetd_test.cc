#include "lib/inetd.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <vector>

#include "lib/fd.h"

using namespace po;

static std::optional<inetd::Arguments> parse(std::vector<const char*> argv) {
  return inetd::parse(static_cast<int>(argv.size()), argv.data());
}

TEST_CASE("inetd: the words behind the program") {
  auto standard = parse({"smtpd", "--inetd", "smtp"});
  REQUIRE(standard);
  CHECK(standard->service == "smtp");
  CHECK(standard->socket() == "/var/spool/post.office/run/inetd");
  CHECK(parse({"smtpd", "--inetd", "smtp", "/s"})->socket() == "/s/run/inetd");

  CHECK_FALSE(parse({"smtpd"}));
  CHECK_FALSE(parse({"smtpd", "smtp"}));
  CHECK_FALSE(parse({"smtpd", "--inetd"}));
  CHECK_FALSE(parse({"smtpd", "--inetd", ""}));
  CHECK_FALSE(parse({"smtpd", "--inetd", "smtp", "s"}));
  CHECK_FALSE(parse({"smtpd", "--inetd", "smtp", "/s", "more"}));
  std::string longest =
      "/" + std::string(97 - 1, 's');  // and "/run/inetd" are 107 octets, as a socket may have
  CHECK(parse({"smtpd", "--inetd", "smtp", longest.c_str()}));
  longest += 's';
  CHECK_FALSE(parse({"smtpd", "--inetd", "smtp", longest.c_str()}));
  std::string name(33, 'n');
  CHECK_FALSE(parse({"smtpd", "--inetd", name.c_str()}));
}

TEST_CASE("inetd: what is a client's connection and what is not") {
  Fd server(socket(AF_INET, SOCK_STREAM, 0)), datagram(socket(AF_INET, SOCK_DGRAM, 0)),
      local(socket(AF_UNIX, SOCK_STREAM, 0)), six(socket(AF_INET6, SOCK_STREAM, 0));
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof in;
  REQUIRE(bind(server.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  REQUIRE(listen(server.get(), 1) == 0);
  REQUIRE(getsockname(server.get(), reinterpret_cast<sockaddr*>(&in), &size) == 0);
  Fd client(socket(AF_INET, SOCK_STREAM, 0));
  REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
  Fd accepted(accept(server.get(), nullptr, nullptr));
  CHECK(inetd::is_tcp_connection(accepted.get()));
  if (six) CHECK(inetd::is_tcp_connection(six.get()));
  CHECK_FALSE(inetd::is_tcp_connection(server.get()));
  CHECK_FALSE(inetd::is_tcp_connection(datagram.get()));
  CHECK_FALSE(inetd::is_tcp_connection(local.get()));
  CHECK_FALSE(inetd::is_tcp_connection(-1));
}
