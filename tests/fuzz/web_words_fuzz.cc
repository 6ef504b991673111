// What strangers say to accounts, through wwwd and the other servers: the value of the cookie, an application
// password, the words of an order, an order that nobody sealed; and what saslauthd answers.
#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "accounts/app_passwords.h"
#include "accounts/saslauthd.h"
#include "accounts/web_orders.h"
#include "accounts/web_sessions.h"
#include "lib/error.h"
#include "lib/messages.h"
#include "lib/order.h"
#include "lib/text.h"

static void try_token(std::string_view in) {
  auto octets = accounts::token_octets(in);
  if (!octets) return;
  if (octets->size() != 32) po::panic("a token of another length");
  std::string text = po::base64_encode(*octets);
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  if (text != std::string(in) + "=") po::panic("a token has two forms");
}

static void try_app_password(std::string_view in) {
  auto core = accounts::app_password_core(in);
  if (!core) return;
  if (core->size() != 16 || accounts::app_password_core(*core) != core)
    po::panic("an application password changes when it is read again");
}

static void try_words(std::string_view in) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at <= in.size();) {
    std::size_t end = std::min(in.find('\n', at), in.size());
    words.emplace_back(in.substr(at, end - at));
    at = end + 1;
  }
  directory::Account jane;
  jane.id = 2;
  jane.addresses = {"jane@podunk.edu"};
  (void)accounts::command_right(words);
  if (accounts::order_right(words, jane, true) == accounts::OrderRight::kNone &&
      accounts::order_right(words, jane, false) != accounts::OrderRight::kNone)
    po::panic("a user may have what a Postmaster may not");
  if (accounts::order_right(words, jane, false) == accounts::OrderRight::kChanges)
    po::panic("a user may have a change");
}

static void try_order(std::string_view in) {
  po::OrderBook book(po::messages::Key{1});
  if (book.open(in, 1000)) po::panic("an order that nobody sealed");
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view in(reinterpret_cast<const char*>(data), size);
  try_token(in);
  try_app_password(in);
  try_words(in);
  try_order(in);
  (void)accounts::saslauthd::parse_answer(in);
  return 0;
}
