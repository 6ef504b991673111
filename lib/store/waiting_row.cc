#include "lib/store/waiting_row.h"

#include <algorithm>

#include "lib/store/layout.h"
#include "lib/wire.h"

namespace store {

/// Of a Waiting without its strings and attempts, and of an Attempt without its strings.
static constexpr std::size_t kFixed = 48, kFixedAttempt = 16;
/// Keys, and LMDB's heads and indices of two rows.
static constexpr std::size_t kBeside = 80;

static std::size_t names_of(const Waiting& w) {
  return w.address.size() + w.original.size() + w.orcpt.size() + w.hop.size();
}

std::string_view fault_of(const Waiting& w) {
  if (w.hop.empty() || w.hop.size() > layout::kMaxHop || w.hop.find('\0') != std::string::npos) {
    return "the name of a next hop cannot be one";
  }
  if (w.address.empty()) return "a recipient has no address";
  if (names_of(w) > layout::kMaxNames) return "a recipient is too long";
  return {};
}

/// No longer than `most`, and no UTF-8 character cut in two.
static void cut(std::string& text, std::size_t most) {
  if (text.size() <= most) return;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80) --most;
  text.resize(most);
}

static void shorten(Waiting& w) {
  if (w.last.size() > kMostAttempts) w.last.erase(w.last.begin(), w.last.end() - kMostAttempts);
  std::size_t room = layout::kMaxRow - kFixed - names_of(w) - w.last.size() * kFixedAttempt;
  // The newest is what a notice quotes: it may have half.
  for (std::size_t left = w.last.size(); left > 0; --left) {
    Attempt& attempt = w.last[left - 1];
    std::size_t share = room / (left == w.last.size() ? std::min<std::size_t>(left, 2) : left);
    cut(attempt.host, share / 2);
    cut(attempt.reply, share - attempt.host.size());
    room -= attempt.host.size() + attempt.reply.size();
  }
}

std::string encode_row(const Waiting& waiting) {
  std::string row = po::wire::encode(waiting);
  if (row.size() <= layout::kMaxRow && waiting.last.size() <= kMostAttempts) return row;
  Waiting fitting = waiting;
  shorten(fitting);
  return po::wire::encode(fitting);
}

std::uint64_t most_octets(const Waiting& w) {
  std::size_t octets = kFixed + names_of(w);
  for (const Attempt& a : w.last) octets += kFixedAttempt + a.host.size() + a.reply.size();
  return std::min(octets, layout::kMaxRow) + w.hop.size() + kBeside;
}

}  // namespace store
