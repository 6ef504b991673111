// One POP3 session as a state machine: events in, list of actions out; no descriptor, clock, random, log or
// libevent inside (RFC 1939, 2449, 2595, 3206, 5034, 6856). Input is hostile; how it is cut into pieces
// changes nothing. Answers leave in the order of the commands: what has to wait for queue holds back what
// comes after it, and several messages may be asked for ahead, within a window. Caller: Connection, tests.
//
// A client that takes its messages in order, and waits for each, gets the next one from memory: when an
// answer has been sent and nothing else is due, the messages after it are asked for, few at first
// (read-ahead: at most kAhead, of kAheadOctets together, beside the window). What was read ahead and not
// asked for is forgotten when the client goes elsewhere, and at on_pause(); that it could not be read is
// never told.
//
// While wants_input() is false the driver stops reading. Deletions are asked for at QUIT, in one action, and
// nowhere else.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/directory/settings.h"
#include "lib/line_buffer.h"
#include "lib/messages.h"
#include "pop3d/command.h"

namespace pop3d {

/// Octets to the client.
struct Write {
  std::string text;
};
/// Forget all buffered input, shake hands, then on_tls().
struct StartTls {};
/// Ask accounts; then on_verdict().
struct Authenticate {
  std::string login;
  std::string password;
  std::string client_name;  ///< with `name_looked_up`: confirmed, or empty
  bool name_looked_up = false;
};
/// Find the client's confirmed name; then on_name().
struct LookUpName {};
/// Redeem the ticket at queue; then on_mailbox() until a frame without `more`, or on_mailbox_lost().
struct OpenMailbox {
  std::string ticket;
};
/// Ask queue for a message and keep the answer under `slot`; then on_message().
struct Fetch {
  std::uint32_t slot;
  po::MessageId id;
};
/// Send the message kept under `slot` with its closing line, as much of it as `lines` says; then on_sent().
struct SendMessage {
  std::uint32_t slot;
  std::optional<std::uint64_t> lines;
};
/// What is kept under `slot` is not wanted any more.
struct Forget {
  std::uint32_t slot;
};
/// Send what next_listing() makes, piece by piece, until it has no more; then on_sent().
struct SendListing {};
/// Delete at queue; then on_expunged().
struct Expunge {
  std::vector<po::MessageId> ids;
};
/// The mailbox is not needed any more.
struct CloseMailbox {};
/// For the log.
struct LoggedIn {
  std::string login;
  std::uint64_t account;
  std::size_t messages;
};
struct LogInFailed {
  std::string login;
  const char* why;
};
/// The end: after what was written has left, or at once.
struct Close {
  const char* why;  ///< for the log
  bool at_once = false;
};

using Action = std::variant<Write, StartTls, Authenticate, LookUpName, OpenMailbox, Fetch, SendMessage,
                            Forget, SendListing, Expunge, CloseMailbox, LoggedIn, LogInFailed, Close>;
using Actions = std::vector<Action>;

/// What the session cannot see for itself.
struct Conditions {
  std::string hostname;
  bool implicit_tls = false;
  bool tls_available = false;
  bool loopback = false;
  directory::ClearText clear_text = directory::ClearText::kLoopback;
  std::uint32_t error_limit = 20;  ///< 0: none
};

/// RFC 2449 section 4: a command with its CRLF.
inline constexpr std::size_t kCommandLine = 255;
/// RFC 5034 section 4: a line of a SASL exchange with its CRLF.
inline constexpr std::size_t kSaslLine = 12'288;
/// Messages asked for ahead: so many, or as many as hold this many octets in frames.
inline constexpr std::size_t kWindow = 16;
inline constexpr std::uint64_t kWindowOctets = 256 * 1024;
/// What a message takes of the window. A large one comes as a descriptor and takes all of it: one is asked
/// for ahead while another is sent, so that a session holds three descriptors at most
/// (dispatcher/services.cc).
[[nodiscard]] constexpr std::uint64_t window_share(std::uint64_t size) {
  return size > po::messages::kSmallBody ? kWindowOctets : size;
}
/// Read-ahead. No message of it comes as a descriptor.
inline constexpr std::size_t kAhead = 16;
inline constexpr std::uint64_t kAheadOctets = po::messages::kSmallBody;
/// Answers that wait for an earlier one.
inline constexpr std::size_t kMaxPending = 64;
/// Messages that one session sees, the oldest: what one Expunge frame can name.
inline constexpr std::size_t kMaxMessages = 1'000'000;
inline constexpr std::size_t kMaxLogin = 1024;
inline constexpr std::size_t kMaxPassword = 4096;

class Session {
 public:
  explicit Session(Conditions conditions) : conditions_(std::move(conditions)) {}

  void on_start(Actions& actions);
  /// Returns how many octets were used; fewer than all when it stops wanting input: the rest is to be given
  /// again.
  [[nodiscard]] std::size_t on_input(std::string_view input, Actions& actions);
  void on_tls(Actions& actions);
  void on_verdict(const po::messages::Verdict& verdict, Actions& actions);
  /// `name`: empty if there is none that is confirmed.
  void on_name(std::string_view name, Actions& actions);
  void on_mailbox(const po::messages::Mailbox& mailbox, Actions& actions);
  /// Done: it is there to be sent. Permanent: not in the mailbox any more. False: nobody asked, drop it.
  bool on_message(std::uint32_t slot, po::Kind kind, Actions& actions);
  void on_expunged(po::Kind kind, Actions& actions);
  /// The last SendMessage or SendListing is done.
  void on_sent(Actions& actions);
  /// queue has gone, and the handle with it.
  void on_mailbox_lost(Actions& actions);
  /// What was asked last is not answered.
  void on_no_answer(Actions& actions);
  /// The client has sent no command for too long (RFC 1939 section 3: nothing is deleted, nothing is said).
  void on_timeout(Actions& actions);
  /// The client has sent no command for a moment: nothing is kept for the next one.
  void on_pause(Actions& actions);
  /// The system stops: ends the session where it would wait for the next command.
  void on_stop(Actions& actions);

  /// Appends lines of the listing under way until `out` has `limit` octets; false: that was all.
  [[nodiscard]] bool next_listing(std::string& out, std::size_t limit);

  [[nodiscard]] bool wants_input() const;
  [[nodiscard]] bool starting_tls() const { return state_ == State::kStartingTls; }
  [[nodiscard]] bool logged_in() const { return opened_; }
  /// An answer of accounts, queue or DNS is outstanding.
  [[nodiscard]] bool awaits_answer() const;
  /// A message or listing is being sent.
  [[nodiscard]] bool sending() const { return sending_; }
  [[nodiscard]] std::uint64_t account() const { return account_; }
  [[nodiscard]] std::uint64_t retrieved() const { return retrieved_; }
  [[nodiscard]] std::uint64_t deleted() const { return expunged_; }

 private:
  enum class State : std::uint8_t {
    kNew,
    kAuthorization,
    kChallenged,
    kStartingTls,
    kVerifying,
    kLookingUp,
    kOpening,
    kTransaction,
    kUpdating,
    kClosed
  };
  /// 20 octets a message, and a bit for its mark.
  struct Entry {
    po::MessageId id;
    std::uint32_t size_high, size_low;
    [[nodiscard]] std::uint64_t size() const { return std::uint64_t{size_high} << 32 | size_low; }
  };
  static_assert(sizeof(Entry) == 20);
  /// An answer in its turn.
  struct Pending {
    enum class What : std::uint8_t { kText, kMessage, kListing } what = What::kText;
    std::string text;
    std::uint32_t slot = 0;
    std::size_t index = 0;  ///< of the message; listing: of the next one
    std::optional<std::uint64_t> lines;
    bool answered = false;
    po::Kind kind = po::Kind::kTemporary;
    bool ids = false;  ///< UIDL, not LIST
  };
  /// A message that was read ahead.
  struct Ahead {
    std::uint32_t slot = 0;
    bool answered = false;
  };
  struct Step;

  void on_line(std::string_view line, Actions& actions);
  void run(const Command& command, Actions& actions);
  void on_sasl_line(std::string_view line, Actions& actions);
  static const Step* find_step(Verb verb);

  void auth(const Command& command, Actions& actions);
  void capa(const Command& command, Actions& actions);
  void dele(const Command& command, Actions& actions);
  void list(const Command& command, Actions& actions);
  void noop(const Command& command, Actions& actions);
  void pass(const Command& command, Actions& actions);
  void quit(const Command& command, Actions& actions);
  void retr(const Command& command, Actions& actions);
  void rset(const Command& command, Actions& actions);
  void stat(const Command& command, Actions& actions);
  void stls(const Command& command, Actions& actions);
  void user(const Command& command, Actions& actions);
  void utf8(const Command& command, Actions& actions);

  void greet(Actions& actions);
  void log_in_plain(std::string_view base64, Actions& actions);
  void log_in(std::string login, std::string password, Actions& actions);
  void ask_accounts(Actions& actions);
  void mailbox_not_opened(const char* why, Actions& actions);
  void log_in_failed(const char* why, const std::string& reply, Actions& actions);
  void finish_quit(Actions& actions);
  std::optional<std::size_t> find_message(std::uint64_t number, Actions& actions);
  [[nodiscard]] bool password_allowed() const;
  [[nodiscard]] bool can_start_tls() const;

  void reply(std::string text, Actions& actions);
  [[nodiscard]] bool count_error();
  void error(std::string text, Actions& actions);
  void advance(Actions& actions);
  void send_head_message(Actions& actions);
  bool take_ahead(Pending& message, Actions& actions);
  void read_ahead(Actions& actions);
  bool on_ahead(std::uint32_t slot, po::Kind kind, Actions& actions);
  void forget_ahead(Actions& actions);
  void close(const char* why, Actions& actions, bool at_once = false);

  Conditions conditions_;
  State state_ = State::kNew;
  po::LineReader reader_{kSaslLine - 2};
  bool tls_ = false, greeted_ = false;
  bool quitting_ = false, stopping_ = false;
  const char* close_when_answered_ = nullptr;
  std::uint32_t errors_ = 0;

  std::string login_, password_;
  bool has_login_ = false, name_looked_up_ = false, opened_twice_ = false;

  bool opened_ = false, lost_ = false;
  std::uint64_t account_ = 0;
  std::vector<Entry> entries_;
  std::vector<bool> marked_;
  std::size_t marks_ = 0;
  std::uint64_t octets_ = 0, marked_octets_ = 0;

  std::deque<Pending> pending_;
  bool sending_ = false, listing_ = false;
  std::uint32_t next_slot_ = 0;
  std::size_t asked_ = 0;
  std::uint64_t asked_octets_ = 0;
  std::vector<Ahead> ahead_;       ///< the messages from next_in_order_ on
  std::size_t next_in_order_ = 0;  ///< the index after that of the last RETR
  std::size_t in_order_ = 0;       ///< RETRs that followed each other
  std::uint64_t retrieved_ = 0, expunged_ = 0;
};

}  // namespace pop3d
