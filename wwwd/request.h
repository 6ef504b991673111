// Octets of a client to requests: the strict subset of HTTP/1.1 (RFC 9112) that forms need. GET, HEAD, POST;
// origin-form targets; a body has one Content-Length in digits and no transfer coding. Whatever two readers
// could understand in two ways (RFC 9112 11.2) is refused, never repaired, and nothing is read behind a
// refusal. HTTP/1.0 is understood, and each of its connections carries one request. Pure: no socket, no
// clock. Caller: Connection; the pages see a Request (wwwd/handler.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "wwwd/handler.h"
#include "wwwd/query.h"

namespace wwwd {

inline constexpr std::size_t kMaxHead = 16 * 1024;   ///< request line and fields, with their ends
inline constexpr std::size_t kMaxTarget = 8 * 1024;  ///< of the request line
inline constexpr std::size_t kMaxFields = 100;

/// Why a request is not served.
struct Refusal {
  int status = 400;
  const char* why = "";       ///< a sentence without its full stop, for the client and the log
  bool without_body = false;  ///< it was HEAD that asked
};

/// A request line and its fields, checked.
struct Head {
  Method method = Method::kGet;
  bool http_1_0 = false;
  std::string path;  ///< by parse_path()
  Parameters query;
  std::vector<std::pair<std::string, std::string>> fields;  ///< names in lower case
  std::string host;                                         ///< in lower case, with the port if one is given
  std::string media_type;                                   ///< of Content-Type, in lower case
  std::uint64_t length = 0;                                 ///< of the body
  bool keep_alive = true;
  bool expects_continue = false;  ///< the client waits for 100 Continue before it sends the body

  /// The first field of that name (lower case); empty if there is none.
  [[nodiscard]] std::string_view field(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
};

/// `text`: lines with CRLF behind each of them, the empty one excluded, without control characters elsewhere
/// (RequestReader has looked).
[[nodiscard]] tl::expected<Head, Refusal> parse_head(std::string_view text);

/// A host as a Host field has it, without its port: "mail.podunk.edu", "[2001:db8::1]".
[[nodiscard]] std::string_view without_port(std::string_view host);

class RequestReader {
 public:
  enum class Event : std::uint8_t {
    kNeedMore,  ///< call again with what is left of the input and more behind it
    kHead,      ///< head() is there
    kBody,      ///< a piece of its body
    kEnd,       ///< the request is whole; the next call begins another
    kRefused,   ///< refusal() says why; so will every further call
  };
  struct Step {
    Event event = Event::kNeedMore;
    std::size_t consumed = 0;
    std::string_view body = {};  ///< with kBody, inside the input
  };

  /// `input` begins behind what was consumed so far; a head is consumed when it is whole, so a caller keeps
  /// up to kMaxHead octets of it. How the input is cut changes nothing.
  [[nodiscard]] Step next(std::string_view input);

  [[nodiscard]] Head& head() { return head_; }
  [[nodiscard]] const Refusal& refusal() const { return refusal_; }
  /// Octets of a request's head have been seen, and it is not whole yet.
  [[nodiscard]] bool in_head() const { return state_ == State::kHead && scanned_ > 0; }

 private:
  enum class State : std::uint8_t { kHead, kBody, kRefused };

  Step read_head(std::string_view input);
  Step read_body(std::string_view input);
  Step refuse(Refusal refusal);
  [[nodiscard]] const Refusal* scan(char c);

  State state_ = State::kHead;
  std::size_t scanned_ = 0;      ///< of the head
  std::size_t line_length_ = 0;  ///< of the line being scanned, without its end
  bool first_line_ = true, last_cr_ = false, whole_ = false;
  std::uint64_t body_left_ = 0;
  Head head_;
  Refusal refusal_;
};

}  // namespace wwwd
