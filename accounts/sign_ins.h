// Who signed in to an account, from where and by what, and who tried: shown to its owner, so that he sees
// what he did not do himself. Rows are counted together by service, address and means. They gather in memory,
// which is bounded, and go to secrets/ at most once a minute, with the last use of application passwords; a
// crash loses that minute. Of an account the newest are kept, good and refused ones apart, so that a flood of
// wrong guesses does not push out the one that was right. Loop only. Caller: authenticate.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "accounts/threads.h"
#include "lib/loop.h"
#include "lib/wire.h"

namespace accounts {

class Secrets;

/// What somebody signs in to.
enum class Service : std::uint8_t { kPop3, kSubmission, kWeb, kCommand };
/// "POP3", "submission", "web", "command".
[[nodiscard]] std::string_view service_name(Service service);

struct SignIn {
  std::int64_t last = 0;  ///< seconds since 1970
  Service service = Service::kPop3;
  std::string from;  ///< limit_key()
  std::string by;    ///< "password", the name of an application password, or "refused: ..."
  std::uint32_t count = 1;
  [[nodiscard]] bool refused() const { return by.starts_with("refused: "); }
  auto fields() { return std::tie(last, service, from, by, count); }
};

inline constexpr std::size_t kMostGoodSignIns = 30, kMostRefusedSignIns = 20;  ///< kept of an account

/// Adds the new ones to those that were kept; newest first, within the bounds. Pure.
[[nodiscard]] std::vector<SignIn> merged_sign_ins(std::vector<SignIn> kept, const std::vector<SignIn>& more);

class SignIns {
 public:
  /// All must outlive it.
  SignIns(const po::Loop& loop, Secrets& secrets, Threads& writer);
  SignIns(const SignIns&) = delete;
  SignIns& operator=(const SignIns&) = delete;

  void add(std::uint64_t account, SignIn sign_in);
  /// An application password was used.
  void used(std::uint64_t account, std::uint32_t id, std::int64_t at, std::string_view from);
  /// Hands what has gathered to the writer's thread: what is read there afterwards has all of it.
  void flush();

  static constexpr std::chrono::seconds kPeriod{60};
  static constexpr std::size_t kMostPending =
      20'000;  ///< rows; then they go to disk before the minute is over
  static constexpr std::size_t kMostUnwritten = 100'000;  ///< rows, when the disk does not follow: lost

 private:
  using Row = std::tuple<std::uint64_t, Service, std::string, std::string>;  ///< account, service, from, by
  struct Seen {
    std::int64_t last = 0;
    std::uint32_t count = 0;
  };
  struct Use {
    std::int64_t at = 0;
    std::string from;
  };
  struct Batch {
    std::map<Row, Seen> rows;
    std::map<std::pair<std::uint64_t, std::uint32_t>, Use> uses;
    [[nodiscard]] bool empty() const { return rows.empty() && uses.empty(); }
  };
  static void write(Secrets& secrets, const Batch& batch);

  Secrets& secrets_;
  Threads& writer_;
  Batch pending_;
  std::size_t writing_ = 0;  ///< rows on their way
  po::Event period_;
};

}  // namespace accounts

template <>
struct po::wire::valid_enum<accounts::Service> {
  static bool ok(accounts::Service v) { return v <= accounts::Service::kCommand; }
};
