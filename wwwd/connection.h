// One client's connection: octets of its Stream become requests, requests become Exchanges for the pages, and
// what the pages say becomes octets. One request at a time: while one is answered nothing is read, so answers
// leave in the order of the questions and a client that does not read is not read from. Knows who may ask
// at all (guard.h) and how long everything may take. After a refusal of the protocol the connection ends:
// where the next request would begin is not known then. Owned by Server, which also calls check_time().
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/dns.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/stream.h"
#include "lib/tls.h"
#include "wwwd/guard.h"
#include "wwwd/handler.h"
#include "wwwd/pace.h"
#include "wwwd/request.h"

namespace wwwd {

/// What all connections of the process have in common; Server keeps it.
struct Shared {
  Policy policy;
  std::string date;              ///< by http_date(), of this second
  std::uint16_t https_port = 0;  ///< where we speak TLS ourselves; 0: nowhere
  std::uint64_t served = 0, failures = 0;
  std::size_t body_octets = 0;  ///< of bodies that are being gathered
};

struct Surroundings {
  const po::Loop& loop;
  po::Log& log;
  po::Resolver& resolver;
  Handler& handler;
  Shared& shared;
};

struct Client {
  std::uint64_t number = 0;  ///< of the connection, in this process
  std::string session;       ///< id for the log
  po::messages::NetAddress address;
};

class Connection final : public po::StreamHandler {
 public:
  using Clock = std::chrono::steady_clock;
  using OnGone = std::function<void(std::uint64_t number)>;  ///< last call; destroys the connection

  /// For the TLS handshake, and for a request's header from its first octet.
  static constexpr std::chrono::seconds kHeadLimit{10};
  /// Without a request, from the beginning and between two of them.
  static constexpr std::chrono::seconds kKeepAlive{30};
  /// A body must bring so much in each such time, or end in it.
  static constexpr Pace::Limit kBodyPace{std::chrono::seconds(10), 10 * 1024};
  /// A client must take so much of what waits for it, or all.
  static constexpr Pace::Limit kAnswerPace{std::chrono::seconds(30), 16 * 1024};
  /// All bodies that are gathered at once, each one's first kSmallBody octets aside.
  static constexpr std::size_t kBodiesInMemory = 8 << 20;
  static constexpr std::size_t kSmallBody = 16 * 1024;

  /// `tls`: null for a connection in clear.
  Connection(const Surroundings& surroundings, Client client, std::shared_ptr<const po::TlsContext> tls,
             po::Fd socket, OnGone on_gone);
  ~Connection() override;

  void start();
  /// The process stops: what is under way is finished, nothing else is begun.
  void stop();
  void check_time(Clock::time_point now);
  /// Since when it has been without a whole request; nothing if there is one, or it is closing.
  [[nodiscard]] std::optional<Clock::time_point> idle_since() const;
  /// To make room for another client.
  void close_idle();

  std::size_t on_input(std::string_view input) override;
  void on_drained() override;
  void on_tls() override;
  void on_idle() override {}
  void on_closed(std::string_view why) override;

 private:
  class Answer;  // the Exchange
  enum class State : std::uint8_t {
    kHandshake,
    kIdle,       ///< for a request's head to begin or to be whole
    kNaming,     ///< whether the client may ask depends on its name, and DNS is being asked
    kBody,       ///< is coming
    kAnswering,  ///< the request is whole
    kClosing,
  };

  std::size_t process(std::string_view input);
  void on_first_octet();
  void pump();
  void update_reading();
  [[nodiscard]] bool wants_input() const;
  void on_step(const RequestReader::Step& step);
  void on_head();
  void check_access();
  void admit();
  void begin_body();
  [[nodiscard]] bool takes_media_type() const;
  void on_body(std::string_view piece);
  void on_request_end();
  void gather(std::string_view piece);
  void release_body();
  void send_continue();

  void refuse(const Refusal& refusal);
  void refuse(const Response& response, const char* why, bool without_body);
  void refuse_clear_text();
  void send(const Response& response, Framing framing, bool without_body);
  void write(std::string_view octets);
  void finish(const char* why = nullptr);
  void forget_exchange();
  void close();
  void check_answer_time(Clock::time_point now);
  void log_request(const char* why);

  Surroundings around_;
  Client client_;
  std::shared_ptr<const po::TlsContext> tls_;
  OnGone on_gone_;
  int socket_;  ///< the stream's, to look at the first octet
  RequestReader reader_;
  po::Stream stream_;
  po::Event first_octet_;

  State state_ = State::kIdle;
  Head head_;
  Answer* exchange_ = nullptr;         ///< of the request under way; not owned
  std::shared_ptr<Answer> gathering_;  ///< the same, until its body has ended
  std::unique_ptr<BodySink> sink_;     ///< of a body that is streamed
  std::string body_;                   ///< of one that is not
  bool processing_ = false, in_sink_ = false, paused_ = false, body_paused_ = false, continue_due_ = false;
  bool keep_alive_ = false, stopping_ = false, any_request_ = false;
  bool tls_missed_ = false;  ///< the client speaks in clear where TLS is spoken

  // of the answer
  int status_ = 0;
  bool begun_ = false, chunked_ = false, without_body_ = false;
  std::uint64_t octets_ = 0;

  Clock::time_point started_ = Clock::now(), idle_since_ = started_;
  std::optional<Clock::time_point> head_since_;
  Clock::time_point request_since_, waiting_since_;
  std::uint64_t body_octets_ = 0, written_ = 0;  ///< of this connection so far: read of bodies; to be sent
  Pace body_pace_{kBodyPace}, answer_pace_{kAnswerPace};
};

}  // namespace wwwd
