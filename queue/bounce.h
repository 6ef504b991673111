// The text of delivery status notifications: RFC 3464 in the manner of RFC 3461 (NOTIFY, RET, ENVID, ORCPT),
// with the forms of RFC 6533 for addresses and messages beyond ASCII. What happened and what the reader can
// do is said in plain words first. Pure. All that it is given may be hostile: replies come from servers that
// we spoke to, the message from anybody. Callers: Notices.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lib/id.h"
#include "lib/store/store.h"

namespace queue {

enum class Action : std::uint8_t {
  kFailed,
  kDelayed,
  kDelivered,  ///< into a mailbox here
  kRelayed,    ///< to a host that does not say what becomes of it
  kExpanded    ///< to several addresses
};

/// One recipient of the original, and what became of it.
struct Report {
  Action action = Action::kFailed;
  std::string address;      ///< where it went
  std::string original;     ///< what the sender wrote, if that was another address
  std::string orcpt;        ///< as given: "rfc822;xtext"; may be empty
  std::string status;       ///< RFC 3463: "5.1.1"
  std::string words;        ///< a server's reply, or our reason
  bool remote = false;      ///< the words are a server's
  std::string host;         ///< that was spoken to last; may be empty
  std::uint64_t at_ms = 0;  ///< of the last attempt; 0: there was none
};

struct Original {
  po::MessageId id;
  store::Head head;
  std::string_view content;  ///< the whole message, or the beginning of a large one
};

/// What notices are made with.
struct Style {
  std::string hostname;                   ///< of this host
  std::uint64_t full_size = 37ULL << 10;  ///< larger messages are returned as their headers alone
  std::uint64_t lifetime_ms = 0;          ///< how long is tried in all
};

/// What a notice to the Postmaster says first, and why it comes.
struct ForPostmaster {
  std::string_view subject;
  std::string_view why;  ///< whole sentences
};

struct NoticeText {
  std::string content;  ///< CRLF line ends
  bool smtputf8 = false;
  bool body_8bit = false;
};

/// Of the original in a notice, whatever the setting says.
inline constexpr std::size_t kMostReturned = 38'000;
/// Octets that the reports of one notice may have: with the above it still is a small body.
inline constexpr std::size_t kMostReported = 20'000;
/// About as many as this one takes; less than kMostReported.
[[nodiscard]] std::size_t octets_of(const Report& report);

/// All of `reports` have one action and together no more than kMostReported octets; there is one at least.
/// With `postmaster` it is for the Postmaster, else for the sender.
[[nodiscard]] NoticeText make_notice(const Original& original, std::span<const Report> reports,
                                     const Style& style, const po::MessageId& id, std::uint64_t now_ms,
                                     const ForPostmaster* postmaster = nullptr);

/// Whether the sender wants to hear of this (RFC 3461 4.1); `notify` as in the envelope, 0: failures and
/// delays.
[[nodiscard]] bool wants_notice(std::uint8_t notify, Action action);
/// Lists, newsletters and answers of machines: nobody waits at the other end, so delay is not told.
[[nodiscard]] bool is_bulk(std::string_view content);
/// One or two sentences: what a person can do about this status; empty: nothing in particular.
[[nodiscard]] std::string_view advice_for(std::string_view status);

}  // namespace queue
