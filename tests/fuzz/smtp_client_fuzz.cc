// A whole connection with a server that says any octets. The first octet chooses how we speak with it, the
// second how the rest is cut; whole and cut must come to the same. Whatever it says: no password in clear,
// each recipient of a transaction comes to one end, and nothing is delivered before the end of the message
// was sent.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/error.h"
#include "tests/unit/deliver/player.h"

using namespace deliver;
using deliver::test::Player;

static Player start(std::uint8_t how, std::size_t step) {
  Terms terms;
  terms.tls = static_cast<po::messages::TlsLevel>(how & 3);
  if ((how & 4) != 0) {
    terms.user = "user";
    terms.password = "secret";
  }
  terms.lmtp = (how & 16) != 0;
  std::string body = (how & 8) != 0 ? "Subject: x\r\n\r\n.\xfc\r\n" : "Subject: x\r\n\r\n.hi\r\n";
  return Player(std::move(terms),
                test::make_job({"x@y.example", "y@y.example", "z@y.example"}, std::move(body)), step);
}

static std::size_t count(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

static void check(std::string_view out) {
  std::size_t password = out.find("AUTH PLAIN AHVz"), tls = out.find("(tls)");
  if (password != std::string_view::npos && tls > password) po::panic("a password in clear");
  std::size_t done = out.find(" done "), end = std::min(out.find("\r\n.\r\n"), out.find(" LAST\r\n"));
  if (done != std::string_view::npos && end > done) po::panic("delivered before it was sent");
  for (const char* n : {"[0 ", "[1 ", "[2 "}) {
    if (count(out, n) > 1) po::panic("two ends for one recipient");
  }
  if (count(out, "(failed") > 1) po::panic("two failures");
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  Player whole = start(data[0], 0), cut = start(data[0], 1 + data[1] % 32);
  for (Player* p : {&whole, &cut}) {
    // A line that the server sends before it could have read ours is its own affair, but turns are kept.
    std::string_view rest = in;
    while (!rest.empty()) {
      std::size_t turn = std::min(rest.find('\n'), rest.size() - 1) + 1;
      p->say(rest.substr(0, turn));
      rest.remove_prefix(turn);
    }
    p->close();
    check(p->out);
  }
  if (whole.out != cut.out) po::panic("cut, it comes to something else");
  return 0;
}
