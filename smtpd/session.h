// One SMTP session as a state machine: events in, actions out. No descriptor, clock, random, log or libevent
// inside; what it must know of the world comes through World, so that tests play whole dialogues. The octets
// are hostile. While an answer is pending, waiting() is true and on_bytes() takes nothing: the driver stops
// reading. How the octets are cut into pieces changes no action but the lengths of WriteBody. Caller: the
// connection.
//
// Implemented in four files: session.cc (lines and commands), session_message.cc (envelope and content),
// session_auth.cc (TLS and authentication), session_start.cc (ETRN and QSND).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/directory/reader.h"
#include "lib/directory/settings.h"
#include "lib/dot_decoder.h"
#include "lib/id.h"
#include "lib/line_buffer.h"
#include "lib/messages.h"
#include "smtpd/command.h"
#include "smtpd/content.h"
#include "smtpd/policy.h"
#include "smtpd/reply.h"
#include "smtpd/submission.h"

namespace smtpd {

/// What a session may ask and get an answer to at once.
class World {
 public:
  virtual ~World() = default;
  virtual po::Result<directory::Resolution> resolve(std::string_view address) = 0;
  virtual po::Result<std::optional<directory::Account>> account(std::uint64_t id) = 0;
  virtual std::shared_ptr<const directory::Settings> settings() = 0;
  virtual const RelayNetworks& relay_networks() = 0;
  virtual const QueueStartPermissions& queue_start_permissions() = 0;
  virtual po::MessageId next_id() = 0;
  virtual std::int64_t now() = 0;    ///< seconds since 1970
  virtual bool queue_ready() = 0;    ///< there is a pipe to queue
  virtual bool tls_available() = 0;  ///< there is a certificate
};

/// Who is there, as the driver knows it.
struct Client {
  po::messages::Protocol protocol = po::messages::Protocol::kSmtp;
  bool implicit_tls = false;
  po::messages::NetAddress address;
  std::uint32_t uid = 0xffffffff;  ///< peer credentials of the local socket
  std::string user;                ///< its login name; empty if it has none
  std::string host;                ///< our name
  std::string session;             ///< session id
  bool name_coming = false;        ///< its name is being looked up: MAIL waits for it, the greeting does not
};

// ---- actions, in the order in which they are to be done

struct WriteReply {
  std::string text;
};
/// After the replies before it; answer: on_tls().
struct StartTls {};
/// Answer: on_verdict().
struct AskAccounts {
  po::messages::Authenticate question;
};
/// The client's confirmed name is needed; answer: on_client_name().
struct AskName {};
/// Answer: on_usage().
struct AskUsage {
  std::uint64_t account = 0;
};
/// Answer: on_body_file().
struct OpenBody {
  po::MessageId id;
};
/// The next octets of the body file. A failure is the driver's to remember and to answer the Submit with.
struct WriteBody {
  std::string octets;
};
struct DropBody {
  po::MessageId id;
};
/// Answer: on_submitted().
struct SubmitMessage {
  po::messages::Submit message;
};
/// ETRN, QSND: try again now what waits for this domain. Answer: on_started().
struct StartQueue {
  std::string domain;
  bool subdomains = false;
};
/// For the log, with what was true at that moment.
struct Report {
  enum class Event : std::uint8_t {
    kAccepted,          ///< id, message_id, sender, recipients, size
    kMessageRefused,    ///< id, message_id, sender, recipients, reply
    kSenderRefused,     ///< recipient holds the argument of MAIL
    kRecipientRefused,  ///< sender, recipient
    kAuthenticated,     ///< login
    kAuthFailed,        ///< login, reply
    kQueueStarted,      ///< recipient holds the domain; reply
    kStartRefused,      ///< likewise
    kEnded,             ///< the session is ended by us: reply
  };
  Event event = Event::kEnded;
  std::string id;
  std::string message_id;  ///< of the header; empty: it has none
  std::string sender;
  std::string recipient;
  std::string login;
  std::string reply;
  std::size_t recipients = 0;
  std::uint64_t size = 0;
};
/// When all is written. The last action.
struct Close {};

using Action = std::variant<WriteReply, StartTls, AskAccounts, AskName, AskUsage, OpenBody, WriteBody,
                            DropBody, SubmitMessage, StartQueue, Report, Close>;
using Actions = std::vector<Action>;

class Session {
 public:
  Session(World& world, Client client);

  // ---- events
  /// The greeting. With implicit TLS it comes from on_tls().
  void on_connect(Actions& actions);
  /// Instead of on_connect(): the session is not wanted.
  void on_refused(const Reply& why, Actions& actions);
  /// Returns how many octets were taken.
  [[nodiscard]] std::size_t on_bytes(std::string_view in, Actions& actions);
  void on_tls(std::string version, std::string cipher, Actions& actions);
  /// The confirmed name of the client, empty if it has none; at any time, at most once.
  void on_client_name(std::string name, Actions& actions);
  void on_verdict(const po::messages::Verdict& verdict, Actions& actions);
  /// `known` false: queue cannot say.
  void on_usage(bool known, std::uint64_t octets, Actions& actions);
  void on_body_file(po::Kind kind, bool no_space, Actions& actions);
  void on_submitted(const po::messages::Submitted& answer, Actions& actions);
  /// `known` false: queue cannot say. Else how many messages were started.
  void on_started(bool known, std::uint64_t messages, Actions& actions);
  /// The client was too slow.
  void on_timeout(Actions& actions);
  /// The system goes down: ends now, or after the message that is coming in.
  void on_stop(Actions& actions);
  /// The connection is gone.
  void on_eof(Actions& actions);

  // ---- what the driver and the log may look at
  [[nodiscard]] bool waiting() const { return wait_ != Wait::kNothing; }
  [[nodiscard]] bool closed() const { return state_ == State::kClosed; }
  [[nodiscard]] Phase phase() const;
  [[nodiscard]] std::uint64_t commands() const { return commands_; }
  [[nodiscard]] std::uint64_t octets() const { return octets_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] std::uint32_t errors() const { return conduct_.errors(); }
  [[nodiscard]] const Client& client() const { return client_; }
  [[nodiscard]] const std::string& helo() const { return helo_; }
  [[nodiscard]] const std::string& client_name() const { return client_name_; }
  [[nodiscard]] const std::string& login() const { return account_address_; }
  [[nodiscard]] bool tls() const { return !tls_version_.empty(); }

 private:
  enum class State : std::uint8_t {
    kCommand,
    kAuthPlain,          ///< 334 was sent, the whole message is to come
    kAuthLoginUser,      ///< 334 Username:
    kAuthLoginPassword,  ///< 334 Password:
    kData,
    kChunk,
    kDiscardChunk,  ///< a chunk that is refused: exactly its octets are skipped (RFC 3030)
    kTls,           ///< nothing said in clear counts any more
    kClosed,
  };
  enum class Wait : std::uint8_t {
    kNothing,
    kNameForSender,
    kNameForLogin,
    kNameForRecipient,
    kNameForStart,
    kVerdict,
    kUsage,
    kBodyFile,
    kSubmit,
    kStarted
  };
  enum class BodyFile : std::uint8_t { kNone, kAsked, kOpen };

  struct Transaction {
    MailCommand mail;
    std::string sender;  ///< canonical
    std::vector<po::messages::Recipient> recipients;
    std::size_t recipient_octets = 0;
    Author author;
    bool chunked = false;  ///< BDAT has begun
  };
  struct CommandRow;

  // session.cc
  [[nodiscard]] std::size_t command_input(std::string_view in, Actions& actions);
  void on_line(std::string_view line, Actions& actions);
  void run(const Command& command, Actions& actions);
  void refuse_line(po::LineReader::Status status, Actions& actions);
  void greet(Actions& actions);
  void ehlo(std::string_view argument, Actions& actions);
  void helo(std::string_view argument, Actions& actions);
  void rset(std::string_view argument, Actions& actions);
  void noop(std::string_view argument, Actions& actions);
  void quit(std::string_view argument, Actions& actions);
  void vrfy(std::string_view argument, Actions& actions);
  void help(std::string_view argument, Actions& actions);
  void not_built(std::string_view argument, Actions& actions);
  void unknown(std::string_view argument, Actions& actions);
  void http(std::string_view argument, Actions& actions);
  [[nodiscard]] static std::string& reply_text(Actions& actions);
  void say(const Reply& r, Actions& actions, std::string_view about = {});
  void fail(const Refusal& r, Actions& actions, std::string_view about = {});
  void end(const Reply& r, Actions& actions);
  void close(Actions& actions);
  void reset_transaction(Actions& actions);
  void settle(Actions& actions);
  [[nodiscard]] bool submission() const { return client_.protocol != po::messages::Protocol::kSmtp; }
  [[nodiscard]] bool local() const { return client_.protocol == po::messages::Protocol::kLocalSubmission; }
  /// Authenticated on any port counts as submission: who has an account answers for its addresses.
  [[nodiscard]] bool submits() const { return submission() || account_ != 0; }
  [[nodiscard]] bool may_start_tls() const;
  [[nodiscard]] bool must_start_tls() const;

  // session_auth.cc
  void starttls(std::string_view argument, Actions& actions);
  void auth(std::string_view argument, Actions& actions);
  void auth_line(std::string_view line, Actions& actions);
  void auth_response(State step, std::string_view text, Actions& actions);
  void ask_response(State step, std::string_view challenge, Actions& actions);
  void authenticate(Parsed<Credentials> credentials, Actions& actions);
  void ask_accounts(Actions& actions);
  void grant(const po::messages::Verdict& verdict, Actions& actions);
  void deny(const Refusal& why, Actions& actions);

  // session_start.cc
  void etrn(std::string_view argument, Actions& actions);
  void qsnd(std::string_view argument, Actions& actions);
  void start_queue(std::string_view argument, Actions& actions);
  void judge_start(Actions& actions);
  void refuse_start(const Refusal& why, Actions& actions);

  // session_message.cc
  void mail(std::string_view argument, Actions& actions);
  [[nodiscard]] std::optional<Refusal> begin_transaction(MailCommand mail);
  [[nodiscard]] std::optional<Refusal> claim_sender(Transaction& t);
  [[nodiscard]] po::Result<bool> is_own(const po::Mailbox& address);
  void rcpt(std::string_view argument, Actions& actions);
  void complete(po::Mailbox& mailbox) const;
  [[nodiscard]] std::string sender_warning() const;
  void judge_recipient(Actions& actions);
  void take_recipient(Actions& actions);
  void refuse_recipient(const Refusal& why, Actions& actions);
  void data(std::string_view argument, Actions& actions);
  void bdat(std::string_view argument, Actions& actions);
  [[nodiscard]] std::optional<Refusal> judge_chunk(const BdatCommand& chunk);
  void end_of_refused_chunk(Actions& actions);
  void begin_content();
  [[nodiscard]] std::size_t data_input(std::string_view in, Actions& actions);
  [[nodiscard]] std::size_t chunk_input(std::string_view in, Actions& actions);
  [[nodiscard]] std::size_t discard_input(std::string_view in, Actions& actions);
  void took(const po::ContentFaults& faults, Actions& actions);
  void fix_header();
  void spill(Actions& actions);
  void end_of_chunk(Actions& actions);
  void end_of_content(Actions& actions);
  void conclude(Actions& actions);
  void submit(Actions& actions);
  void refuse_content(const Refusal& why, Actions& actions);
  void drop_body(Actions& actions);
  [[nodiscard]] Report report(Report::Event event, const Refusal& why) const;

  World& world_;
  Client client_;
  std::shared_ptr<const directory::Settings> settings_;
  State state_ = State::kCommand;
  Wait wait_ = Wait::kNothing;
  bool stopping_ = false;
  po::LineReader lines_;
  bool after_cr_ = false;      ///< the last octet given to lines_ was a CR
  bool rest_of_line_ = false;  ///< a bare LF was refused: nothing counts before the next CRLF
  Conduct conduct_;
  std::uint64_t commands_ = 0, octets_ = 0, messages_ = 0, tried_ = 0;

  std::string helo_;  ///< empty until EHLO or HELO
  bool esmtp_ = false;
  std::string tls_version_, tls_cipher_;
  std::string client_name_;
  bool name_known_ = false;  ///< the look-up is over

  std::uint64_t account_ = 0;  ///< who authenticated
  std::string account_address_;
  Credentials credentials_;  ///< while accounts is asked; the login name of AUTH LOGIN before

  std::optional<Transaction> transaction_;
  std::string waiting_mail_;       ///< argument of a MAIL that waits for the client's name
  RcptCommand recipient_;          ///< under judgement
  std::string recipient_address_;  ///< canonical
  std::uint64_t recipient_quota_ = 0;

  StartCommand start_;    ///< under judgement
  bool by_etrn_ = false;  ///< its replies are RFC 1985's

  po::MessageId id_;
  Content content_;
  po::DotDecoder decoder_;
  po::CrlfCheck line_ends_;
  std::uint64_t chunk_left_ = 0, chunk_size_ = 0;
  bool last_chunk_ = false;
  bool content_ended_ = false;  ///< all came, a body file is awaited
  bool chunk_ended_ = false;    ///< likewise
  bool chunk_resets_ = false;   ///< the refused chunk ends the transaction
  std::optional<Refusal> chunk_refusal_;
  BodyFile body_file_ = BodyFile::kNone;
  std::size_t recipients_ = 0;  ///< of the message that queue is asked to take
};

}  // namespace smtpd
