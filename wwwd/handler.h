// What pages see of HTTP: a Request, the Exchange by which it is answered, and the Handler that they
// implement. By the time a page is asked, the request is well-formed, its client may use the web forms at
// all, and a POST comes from our own pages as far as the browser says. Who is logged in is the pages'
// business. Implemented by Connection (an Exchange) and Site (the Handler).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/channel.h"
#include "lib/messages.h"
#include "wwwd/cookie.h"
#include "wwwd/query.h"
#include "wwwd/response.h"

namespace wwwd {

enum class Method : std::uint8_t { kGet, kHead, kPost };
[[nodiscard]] const char* method_name(Method method);

struct Request {
  Method method = Method::kGet;
  std::string path;  ///< by parse_path()
  Parameters query;
  /// Of a POST of application/x-www-form-urlencoded.
  Parameters form;
  /// Of a POST of text/plain that was not streamed.
  std::string body;
  std::string media_type;  ///< of the body, lower case, without parameters
  /// Names in lower case, in the order in which they came.
  std::vector<std::pair<std::string, std::string>> fields;

  /// The client's own address, also behind a proxy that is trusted; its port may be 0.
  po::messages::NetAddress client;
  /// By which a forward look-up found `client` again; empty if there is none or nobody asked yet.
  std::string client_name;
  bool name_looked_up = false;  ///< so an empty client_name means that there is none
  bool https = false;           ///< between the browser and us, or the proxy
  std::string origin;           ///< our own: "https://mail.podunk.edu:8443"
  std::string session;          ///< of the connection, for log lines

  /// HEAD is a GET whose body is not sent: pages need not tell them apart.
  [[nodiscard]] bool post() const { return method == Method::kPost; }
  /// The first field of that name (lower case); empty if there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
  /// By cookie_value().
  [[nodiscard]] std::string_view cookie(std::string_view name) const;
};

/// One request that waits for its answer. Held by the pages as long as they like; when its client has gone,
/// everything said to it has no effect, and what it was asked to call is called no more. Whoever lets go of
/// the last reference without an answer has answered 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  [[nodiscard]] Request& request() { return request_; }
  [[nodiscard]] const Request& request() const { return request_; }
  /// The client has gone, or has been answered: further work for it is wasted.
  [[nodiscard]] virtual bool done() const = 0;
  /// Called once when that comes, from inside what brings it; at once, if it has. For whoever has work for it
  /// done elsewhere. It may hold no reference to the Exchange. That a client has gone is seen when something
  /// is written to it, or when the time of the answer is over.
  virtual void on_done(std::function<void()> callback) = 0;

  /// The whole answer. Once.
  virtual void answer(Response response) = 0;

  /// An answer of unknown length instead: begin() (a body in `response` is its first piece), write() any
  /// number of times, end(). While queued() is over po::Stream::kHighWater the caller should wait for
  /// on_drained.
  virtual void begin(Response response) = 0;
  virtual void write(std::string_view piece) = 0;
  [[nodiscard]] virtual std::size_t queued() const = 0;
  /// Called each time when queued() is low again after being high.
  virtual void on_drained(std::function<void()> callback) = 0;
  virtual void end() = 0;
  /// After begin(): the rest cannot be had. The connection is broken off, so that the client does not take
  /// what it has for the whole.
  virtual void abort(std::string_view why) = 0;

  /// For a body that is streamed: no on_body() until resume_body(). May be called from stream_body().
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;

  /// Fills request().client_name, then calls back (at once, if it is known); never when the client has gone.
  /// One question at a time. If DNS did not answer, name_looked_up is still false: ask the client to try
  /// later.
  virtual void look_up_name(std::function<void()> callback) = 0;
  /// For the log line of this request.
  virtual void set_account(std::string account) = 0;
  /// An answer must begin within kAnswerLimit of the request's end, or 503 is given. Counts anew from now.
  virtual void wait_longer() = 0;

  static constexpr std::chrono::seconds kAnswerLimit{60};

 protected:
  Exchange() = default;
  Request request_;
};

/// Takes a body piece by piece. Destroyed when the body has ended or the client has gone. What it does with
/// the Exchange inside a call is allowed.
class BodySink {
 public:
  virtual ~BodySink() = default;
  /// `piece` is valid during the call.
  virtual void on_body(std::string_view piece) = 0;
  /// All of it has come. If the body breaks off, the sink is destroyed without it.
  virtual void on_body_end() = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  /// A whole request. Answered now or later by any of the Exchange's ways.
  virtual void on_request(std::shared_ptr<Exchange> exchange) = 0;
  /// The head of a POST, its body (`length` octets) not read yet. With a sink, the body goes there (up to
  /// kMaxStreamedBody), on_request() is not called, and the answer is the sink's to give; an answer before
  /// the body's end closes the connection. Without one, the body is gathered up to kMaxBody and on_request()
  /// is called.
  virtual std::unique_ptr<BodySink> stream_body(const std::shared_ptr<Exchange>& exchange,
                                                std::uint64_t length) {
    (void)exchange, (void)length;
    return nullptr;
  }
  /// A new pipe to accounts or queue.
  virtual void on_peer(const po::messages::Peer& peer, po::Fd pipe) = 0;
  /// There will be no new pipe to one of them: the process starts anew.
  [[nodiscard]] virtual bool hopeless(std::chrono::steady_clock::time_point now) const = 0;
};

inline constexpr std::uint64_t kMaxBody = 1 << 20;
inline constexpr std::uint64_t kMaxStreamedBody = 256 << 20;

}  // namespace wwwd
