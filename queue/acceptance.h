// From what an smtpd submits to a change of the store: checks every field again (an smtpd that was taken over
// sends what it likes), routes each recipient by the directory as it is now, makes the lines that each
// mailbox sees before the body. Pure but for the routing that is passed in.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lib/messages.h"
#include "lib/store/store.h"
#include "queue/routing.h"

namespace queue {

struct Refusal {
  po::Kind kind = po::Kind::kTemporary;
  std::string text;
};

/// A recipient of whom the sender is to hear success (RFC 3461 4.1) as soon as the message is stored.
struct Reached {
  std::string address;
  std::string orcpt;
  bool expanded = false;  ///< it led to several; what becomes of those is not told
};

struct Acceptance {
  store::Accept change;
  std::vector<Reached> reached;
};

/// The strings of `submit` are moved from; `id` and `in_file` stay. A message with recipients elsewhere that
/// has been through more than kMostHops hosts is refused for good (RFC 5321 6.3), if its body is in the
/// submission: the body of a file is looked at before it is sent on.
[[nodiscard]] tl::expected<Acceptance, Refusal> make_accept(po::messages::Submit&& submit,
                                                            const Routing& routing, std::uint64_t now_ms);

/// What a mailbox sees before the message: Return-Path and Delivered-To.
[[nodiscard]] std::string prefix_lines(std::string_view sender, std::string_view address);

inline constexpr std::uint32_t kMostHops = 100;
/// `content`: a message or the beginning of one.
[[nodiscard]] bool has_looped(std::string_view content);
inline constexpr std::string_view kLoopText = "5.4.6 mail loop: the message has been through too many hosts";

}  // namespace queue
