// The outgoing brake: how many recipients elsewhere an account, a local user or a network may send to within
// an hour and within a day. A stolen password looks like this: so over the limit nothing more is taken for
// now, and the Postmaster is told, once a day for each of them. Pure, the clock is passed in; counts are kept
// in memory alone and begin anew with the process. Caller: Submissions.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "lib/directory/settings.h"
#include "lib/messages.h"
#include "lib/store/store.h"

namespace queue {

/// Who is counted together.
struct BrakedSender {
  enum class Kind : std::uint8_t { kAccount, kUser, kNetwork };
  Kind kind = Kind::kAccount;
  std::uint64_t number = 0;  ///< account or uid; of a network: its first 64 bits
  std::uint8_t family = 0;   ///< of a network
  auto operator<=>(const BrakedSender&) const = default;
};

/// The account that logged in, else the local user, else the client's network: an IPv4 address, or the /64 of
/// an IPv6 address. Nothing for what the system itself sends.
[[nodiscard]] std::optional<BrakedSender> braked_sender(const store::Envelope& envelope);
/// "account 7", "local user 1000", "client 192.0.2.1", "network 2001:db8::/64".
[[nodiscard]] std::string sender_text(const BrakedSender& sender);

struct BrakeLimits {
  std::uint32_t per_hour = 0;  ///< 0: none
  std::uint32_t per_day = 0;
};
[[nodiscard]] BrakeLimits brake_limits(BrakedSender::Kind kind, const directory::Settings& settings);

struct BrakeVerdict {
  bool allowed = true;
  bool tell = false;                      ///< the Postmaster has not heard of this sender today
  std::uint64_t in_hour = 0, in_day = 0;  ///< counted before this message
  std::uint32_t recipients = 0;           ///< of this message, if it is not allowed
  std::uint32_t limit = 0;                ///< that it would be over
  bool hourly = false;                    ///< the limit is that of the hour
};

class Brake {
 public:
  /// May `recipients` more be taken from this sender? Counts them if they may. The windows slide by twelfths
  /// of an hour and by hours: they are at most that much longer than they should be, never shorter.
  [[nodiscard]] BrakeVerdict ask(const BrakedSender& sender, std::uint32_t recipients,
                                 const BrakeLimits& limits, std::uint64_t now_ms);
  [[nodiscard]] std::size_t size() const { return counts_.size(); }

  /// Beyond it, who has been silent for longest is forgotten.
  static constexpr std::size_t kMostSenders = 20'000;

 private:
  template <std::size_t N>
  struct Window {
    std::array<std::uint32_t, N> parts{};
    std::uint64_t newest = 0;  ///< number of the part of time that is counted now
    void slide_to(std::uint64_t part);
    void add(std::uint32_t n) { parts[newest % N] += n; }
    [[nodiscard]] std::uint64_t sum() const;
  };
  struct Counts {
    Window<13> hour;
    Window<25> day;
    std::uint64_t told_day = 0;  ///< since 1970, counted from 1
    std::list<BrakedSender>::iterator age;
  };
  Counts& counts_of(const BrakedSender& sender);

  std::map<BrakedSender, Counts> counts_;
  std::list<BrakedSender> by_age_;  ///< the one that was heard last is last
};

/// What the Postmaster reads.
struct BrakeNotice {
  BrakedSender sender;
  std::string address;  ///< of the account, if it is one and is known
  std::string envelope_sender;
  std::string client;  ///< where this message came from; empty: from here
  BrakeVerdict verdict;
};
/// The message, CRLF ended lines. `date`: as in RFC 5322; `id`: of the message itself.
[[nodiscard]] std::string brake_notice(const BrakeNotice& notice, std::string_view hostname,
                                       std::string_view date, const po::MessageId& id);
/// One sentence for the client and the log: "too many recipients: at most 1000 within an hour; try later".
[[nodiscard]] std::string brake_text(const BrakeVerdict& verdict);

}  // namespace queue
