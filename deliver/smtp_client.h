// The client's half of one SMTP connection (RFC 5321): greeting, EHLO, STARTTLS, AUTH, then one transaction
// after the other; or of an LMTP connection (RFC 2033), where each recipient that was taken has an answer of
// its own at the end. Events in, actions out; no descriptor, clock, event or log in here. The server is
// hostile: whatever it says, each recipient gets one outcome, nothing is taken for delivered but a 2xx to the
// end of the message, and no password leaves where it should not. Any way of cutting the server's octets into
// pieces gives the same actions. Caller: connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "deliver/reply.h"
#include "deliver/to_7bit.h"
#include "lib/dot_encoder.h"
#include "lib/messages.h"

namespace deliver {

/// How to speak with this host.
struct Terms {
  std::string helo;  ///< the name to greet with
  po::messages::TlsLevel tls = po::messages::TlsLevel::kOpportunistic;
  bool lmtp = false;       ///< what listens is a mail store
  bool same_host = false;  ///< the connection does not leave this host: a password needs no TLS
  std::string user, password;
};

/// One transaction.
struct Mail {
  std::shared_ptr<const po::messages::Job> job;
  std::vector<std::size_t> recipients;  ///< indexes into job->recipients, not empty
  bool eight_bit = false;               ///< the content has octets over 127
  bool utf8_header = false;             ///< its header has
  EightBitParts parts;                  ///< which parts have, for a host without 8BITMIME
};

/// What a recipient, or all, came to. `n` is set for recipients only.
using Outcome = po::messages::JobOutcome;

struct Write {
  std::string octets;
};
/// Shake hands as the client; then on_tls(), or on_closed() if it fails.
struct StartTls {};
/// Up: a transaction may begin.
struct Ready {};
/// Give the content by body(), then body_end(), or break the connection.
struct WantBody {};
/// The transaction is over; each recipient has its outcome or is in `left`.
struct Finished {
  std::vector<Outcome> outcomes;
  std::vector<std::size_t> left;  ///< not taken because they were too many at once, while others were
  bool dsn = false;               ///< the host took over the promises of RFC 3461
};
enum class Stage : std::uint8_t {
  kSession,   ///< before the first recipient was named: another host may do
  kEnvelope,  ///< before the end of the message was sent: the rest may be tried anew
  kEnd        ///< the end was sent and not answered: nobody knows
};
/// The connection is of no more use; said once, last but for Close. Recipients of a running transaction have
/// their outcome, or are in `left`.
struct Failed {
  Stage stage = Stage::kSession;
  Outcome why;
  bool clear_may_do = false;  ///< TLS was not required and could not be had: a new connection, without
  std::vector<Outcome> outcomes;
  std::vector<std::size_t> left;
};
/// Send what was written, then close.
struct Close {};

using Action = std::variant<Write, StartTls, Ready, WantBody, Finished, Failed, Close>;
using Actions = std::vector<Action>;

/// What EHLO offered.
struct Extensions {
  bool pipelining = false, size = false, eight_bit = false, smtputf8 = false, chunking = false, dsn = false,
       starttls = false, auth_plain = false, auth_login = false;
  std::uint64_t max_size = 0;        ///< of SIZE; 0: none said
  std::uint64_t max_recipients = 0;  ///< of LIMITS (RFC 9422); 0: none said
};

/// The lines behind the first of a reply to EHLO.
[[nodiscard]] Extensions parse_extensions(const std::vector<std::string>& lines);

class SmtpClient {
 public:
  /// Contents up to this size are sent behind BDAT without waiting for the replies to RCPT.
  static constexpr std::uint64_t kAhead = 32 * 1024;

  explicit SmtpClient(Terms terms) : terms_(std::move(terms)) {}

  // ---- events
  void on_bytes(std::string_view bytes, Actions& actions);
  void on_tls(Actions& actions);
  /// The connection is gone; `why` for people.
  void on_closed(std::string_view why, Actions& actions);
  /// time_limit() has passed without progress.
  void on_timeout(Actions& actions);

  // ---- what the owner wants
  /// Only when ready().
  void begin(Mail mail, Actions& actions);
  /// Only after WantBody.
  void body(std::string_view piece, Actions& actions);
  void body_end(Actions& actions);
  /// QUIT, politely. No Failed follows.
  void quit(Actions& actions);
  /// Breaks off: what is unsettled is left, with this reason.
  void abort(const Outcome& why, Actions& actions);

  [[nodiscard]] bool ready() const { return state_ == State::kIdle; }
  [[nodiscard]] bool over() const { return state_ == State::kOver; }
  /// Content is wanted still.
  [[nodiscard]] bool wants_body() const { return body_ == Body::kOpen; }
  /// The end of a message was sent, and its answer has not come.
  [[nodiscard]] bool end_sent() const { return body_ == Body::kEnded; }
  /// RFC 5321 4.5.3.2, for what is waited for now; 0: nothing is.
  [[nodiscard]] std::chrono::seconds time_limit() const;
  [[nodiscard]] const Extensions& extensions() const { return ext_; }

 private:
  enum class State : std::uint8_t {
    kGreeting,
    kEhlo,
    kHelo,
    kStartTls,
    kHandshake,
    kAuthPlain,
    kAuthLoginUser,
    kAuthLoginPassword,
    kAuthLast,
    kIdle,
    kMail,  ///< a transaction
    kQuit,
    kOver
  };
  enum class Step : std::uint8_t { kRset, kMail, kRcpt, kData, kEnd };
  enum class Body : std::uint8_t { kNone, kOpen, kEnded };

  void on_reply(const Reply& reply, Actions& actions);
  void on_session_reply(const Reply& reply, Actions& actions);
  void on_greeting(const Reply& reply, Actions& actions);
  void on_ehlo(const Reply& reply, Actions& actions);
  void on_starttls(const Reply& reply, Actions& actions);
  void on_auth(const Reply& reply, Actions& actions);
  void greet(State with, Actions& actions);
  void after_ehlo(Actions& actions);
  void log_in(Actions& actions);
  void be_ready(Actions& actions);

  void on_step_reply(Step step, const Reply& reply, Actions& actions);
  void on_rcpt_reply(const Reply& reply);
  void on_data_reply(const Reply& reply, Actions& actions);
  void expect_end();
  void on_end_reply(const Reply& reply, Actions& actions);
  void send_steps(Actions& actions);
  [[nodiscard]] bool may_send(Step step) const;
  [[nodiscard]] std::string mail_command() const;
  [[nodiscard]] std::string rcpt_command(const po::messages::JobRecipient& r) const;
  void refuse_before_sending();
  void open_body(Actions& actions);
  [[nodiscard]] bool by_bdat() const;
  [[nodiscard]] bool converts() const { return mail_.eight_bit && !ext_.eight_bit; }

  [[nodiscard]] std::size_t count(int verdict) const;
  void settle(std::size_t i, const Outcome& outcome);
  void settle_rest(const Outcome& outcome);
  void settle_next_taken(const Outcome& outcome);
  void finish(Actions& actions);
  void fail(Stage stage, Outcome why, Actions& actions, bool clear_may_do = false);
  void fail_by(const Reply& reply, Actions& actions);
  [[nodiscard]] Stage stage() const;

  Terms terms_;
  State state_ = State::kGreeting;
  ReplyReader reader_;
  Extensions ext_;
  bool tls_ = false, must_reset_ = false;

  // the transaction
  enum : int { kUnknown = 0, kTaken = 1, kSettled = 2, kTooMany = 3 };
  Mail mail_;
  std::vector<int> verdicts_;  ///< of each of mail_.recipients
  std::vector<Outcome> outcomes_;
  std::deque<Step> expected_;  ///< sent and not answered
  Step next_ = Step::kMail;    ///< to be sent next; kEnd: all is sent
  std::size_t next_rcpt_ = 0, answered_rcpt_ = 0;
  bool mail_refused_ = false, mail_taken_ = false;
  std::vector<std::size_t> over_;  ///< more than the host takes in one transaction, by its own word
  bool dsn_ = false;
  Body body_ = Body::kNone;
  std::uint64_t body_sent_ = 0;
  po::DotEncoder dots_;
  std::optional<To7Bit> converter_;
};

}  // namespace deliver
