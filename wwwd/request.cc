#include "wwwd/request.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "lib/net_address.h"
#include "lib/text.h"

namespace wwwd {

namespace {

using Text = std::string_view;

constexpr Refusal kBareLf{400, "a line ends with LF alone"};
constexpr Refusal kBareCr{400, "a CR stands inside a line"};
constexpr Refusal kControl{400, "there is a control character in the header"};
constexpr Refusal kEmptyLine{400, "the request begins with an empty line"};
constexpr Refusal kLongTarget{414, "the address is longer than 8 KiB"};
constexpr Refusal kLongHead{431, "the header is longer than 16 KiB"};

/// A request line of a target at its limit; the method and version of one that is served are far shorter.
constexpr std::size_t kMaxRequestLine = kMaxTarget + 64;

/// RFC 9110 5.6.2 tchar.
bool is_token_octet(char c) {
  return po::is_alnum(c) || Text("!#$%&'*+-.^_`|~").find(c) != Text::npos;
}
bool is_token(Text text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_octet);
}

/// Of these a request has one or none: two readers might each believe another of two.
constexpr Text kSingle[] = {"host",   "content-length", "content-type",   "content-encoding", "expect",
                            "cookie", "origin",         "sec-fetch-site", "x-forwarded-proto"};

/// Parses one head. Each step returns false after it has noted a refusal.
class HeadParser {
 public:
  tl::expected<Head, Refusal> parse(Text text) {
    if (read_request_line(take_line(text)) && read_fields(text) && check_single() && read_host() &&
        read_length() && read_expect() && read_connection()) {
      read_media_type();
      return std::move(head_);
    }
    refusal_.without_body = head_.method == Method::kHead;
    return tl::make_unexpected(refusal_);
  }

 private:
  static Text take_line(Text& text) {
    std::size_t end = text.find("\r\n");
    Text line = text.substr(0, end);
    text.remove_prefix(std::min(line.size() + 2, text.size()));
    return line;
  }

  bool refuse(int status, const char* why) {
    refusal_ = {status, why};
    return false;
  }

  // RFC 9112 3: three parts with one space between two of them.
  bool read_request_line(Text line) {
    std::size_t first = line.find(' '), second = line.rfind(' ');
    if (first == second) return refuse(400, "the request line is not METHOD TARGET VERSION");
    Text method = line.substr(0, first), target = line.substr(first + 1, second - first - 1);
    if (!is_token(method) || target.empty() || target.find_first_of(" \t") != Text::npos)
      return refuse(400, "the request line is not METHOD TARGET VERSION");
    return read_version(line.substr(second + 1)) && read_method(method) && read_target(target);
  }

  bool read_version(Text version) {
    if (version.size() != 8 || !version.starts_with("HTTP/") || !po::is_digit(version[5]) ||
        version[6] != '.' || !po::is_digit(version[7]))
      return refuse(400, "the request line does not end with HTTP/1.1");
    if (version[5] != '1') return refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    head_.http_1_0 = version[7] == '0';  // a higher minor version is understood as 1.1 (RFC 9110 2.5)
    return true;
  }

  bool read_method(Text method) {
    if (method == "GET") return true;
    if (method == "HEAD" || method == "POST") {
      head_.method = method == "HEAD" ? Method::kHead : Method::kPost;
      return true;
    }
    constexpr Text kOthers[] = {"PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    if (std::find(std::begin(kOthers), std::end(kOthers), method) != std::end(kOthers))
      return refuse(405, "only GET, HEAD and POST are allowed");
    return refuse(501, "the method is not known; GET, HEAD and POST are");
  }

  bool read_target(Text target) {
    if (target.size() > kMaxTarget) {
      refusal_ = kLongTarget;
      return false;
    }
    std::size_t mark = target.find('?');
    auto path = parse_path(target.substr(0, mark));
    if (!path) return refuse(400, "the address is not a plain path");
    head_.path = std::move(*path);
    if (mark == Text::npos) return true;
    Text query = target.substr(mark + 1);
    auto is_bad = [](char c) { return c <= ' ' || c > '~' || c == '#'; };
    if (std::any_of(query.begin(), query.end(), is_bad))
      return refuse(400, "the address's query holds what must be written as %XX");
    auto parameters = parse_parameters(query);
    if (!parameters) return refuse(400, "the address's query cannot be read");
    head_.query = std::move(*parameters);
    return true;
  }

  // RFC 9112 5: no space before the colon, and no folding.
  bool read_fields(Text text) {
    while (!text.empty()) {
      Text line = take_line(text);
      if (line.starts_with(' ') || line.starts_with('\t')) return refuse(400, "a header field is folded");
      std::size_t colon = line.find(':');
      if (colon == Text::npos || !is_token(line.substr(0, colon)))
        return refuse(400, "a header line is not NAME: VALUE");
      if (head_.fields.size() == kMaxFields) return refuse(431, "there are more than 100 header fields");
      head_.fields.emplace_back(po::ascii_lower(line.substr(0, colon)), po::trim(line.substr(colon + 1)));
    }
    return true;
  }

  bool check_single() {
    for (Text name : kSingle) {
      auto is_it = [&](const auto& field) { return field.first == name; };
      if (std::count_if(head_.fields.begin(), head_.fields.end(), is_it) > 1)
        return refuse(400, "a header field that may stand once is repeated");
    }
    return true;
  }

  // RFC 9112 3.2: exactly one Host, of a name or address and perhaps a port.
  bool read_host() {
    Text host = head_.field("host");
    if (host.empty()) return refuse(400, "there is no Host field");
    Text name = without_port(host);
    if (name.size() < host.size() && !is_port(host.substr(name.size() + 1)))
      return refuse(400, "the Host field has no legal port");
    if (!is_host_name(name)) return refuse(400, "the Host field is not a host's name or address");
    head_.host = po::ascii_lower(host);
    return true;
  }
  static bool is_port(Text text) {
    return !text.empty() && text.size() <= 5 && std::all_of(text.begin(), text.end(), po::is_digit);
  }
  static bool is_host_name(Text name) {
    if (name.starts_with('[')) {
      if (!name.ends_with(']')) return false;
      auto address = po::parse_address(name.substr(1, name.size() - 2));
      return address && name.find(':') != Text::npos;
    }
    auto is_octet = [](char c) { return po::is_alnum(c) || c == '-' || c == '.' || c == '_'; };
    return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), is_octet);
  }

  // RFC 9112 6: the length is what everybody between the client and us must agree on.
  bool read_length() {
    if (head_.has("transfer-encoding"))
      return refuse(501, "no Transfer-Encoding is taken; send a Content-Length");
    if (head_.has("content-encoding")) return refuse(415, "no Content-Encoding is taken");
    if (!head_.has("content-length")) {
      return head_.method != Method::kPost || refuse(411, "a POST needs a Content-Length");
    }
    Text digits = head_.field("content-length");
    if (digits.empty() || !std::all_of(digits.begin(), digits.end(), po::is_digit))
      return refuse(400, "the Content-Length is not one number");
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), head_.length);
    if (error != std::errc() || head_.length > kMaxStreamedBody)
      return refuse(413, "the body is larger than is taken");
    if (head_.length > 0 && head_.method != Method::kPost) return refuse(400, "only a POST has a body");
    return true;
  }

  bool read_expect() {
    if (!head_.has("expect")) return true;
    if (!po::equal_ignoring_case(head_.field("expect"), "100-continue"))
      return refuse(417, "the only expectation that is met is 100-continue");
    head_.expects_continue = !head_.http_1_0 && head_.length > 0;
    return true;
  }

  // RFC 9112 9.3. A 1.0 client may have said keep-alive to a proxy that passed it on without understanding
  // it.
  bool read_connection() {
    head_.keep_alive = !head_.http_1_0;
    for (const auto& [name, value] : head_.fields) {
      if (name != "connection") continue;
      for (Text rest = value; !rest.empty();) {
        std::size_t end = std::min(rest.find(','), rest.size());
        if (po::equal_ignoring_case(po::trim(rest.substr(0, end)), "close")) head_.keep_alive = false;
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    }
    return true;
  }

  void read_media_type() {
    Text type = head_.field("content-type");
    head_.media_type = po::ascii_lower(po::trim(type.substr(0, type.find(';'))));
  }

  Head head_;
  Refusal refusal_;
};

std::string_view find_field(const std::vector<std::pair<std::string, std::string>>& fields, Text name) {
  for (const auto& field : fields) {
    if (field.first == name) return field.second;
  }
  return {};
}

}  // namespace

const char* method_name(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
  }
  return "-";
}

std::string_view Request::field(std::string_view name) const {
  return find_field(fields, name);
}

std::string_view Request::cookie(std::string_view name) const {
  return cookie_value(field("cookie"), name);
}

std::string_view Head::field(std::string_view name) const {
  return find_field(fields, name);
}

bool Head::has(std::string_view name) const {
  return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
}

std::string_view without_port(std::string_view host) {
  std::size_t colon = host.find(':', host.starts_with('[') ? host.find(']') : 0);
  return host.substr(0, colon);
}

tl::expected<Head, Refusal> parse_head(std::string_view text) {
  return HeadParser().parse(text);
}

// ---- RequestReader

RequestReader::Step RequestReader::next(std::string_view input) {
  switch (state_) {
    case State::kHead:
      return read_head(input);
    case State::kBody:
      return read_body(input);
    case State::kRefused:
      break;
  }
  return {Event::kRefused};
}

RequestReader::Step RequestReader::refuse(Refusal refusal) {
  state_ = State::kRefused;
  refusal_ = refusal;
  return {Event::kRefused};
}

/// One more octet of the head: null if it may stand there.
const Refusal* RequestReader::scan(char c) {
  if (scanned_ >= kMaxHead) return &kLongHead;
  if (last_cr_) {
    if (c != '\n') return &kBareCr;
    if (line_length_ == 0 && first_line_) return &kEmptyLine;
    whole_ = line_length_ == 0;
    first_line_ = last_cr_ = false;
    line_length_ = 0;
    return nullptr;
  }
  if (c == '\n') return &kBareLf;
  last_cr_ = c == '\r';
  if (last_cr_) return nullptr;
  if ((static_cast<unsigned char>(c) < ' ' && c != '\t') || c == '\x7f') return &kControl;
  if (++line_length_ > kMaxRequestLine && first_line_) return &kLongTarget;
  return nullptr;
}

RequestReader::Step RequestReader::read_head(std::string_view input) {
  for (; scanned_ < input.size() && !whole_; ++scanned_) {
    if (const Refusal* refusal = scan(input[scanned_])) return refuse(*refusal);
  }
  if (!whole_) return {Event::kNeedMore};
  std::size_t consumed = scanned_;
  scanned_ = 0;
  whole_ = false;
  first_line_ = true;
  auto head = parse_head(input.substr(0, consumed - 2));
  if (!head) return refuse(head.error());
  head_ = std::move(*head);
  body_left_ = head_.length;
  state_ = State::kBody;
  return {Event::kHead, consumed};
}

RequestReader::Step RequestReader::read_body(std::string_view input) {
  if (body_left_ == 0) {
    state_ = State::kHead;
    return {Event::kEnd};
  }
  if (input.empty()) return {Event::kNeedMore};
  auto size = static_cast<std::size_t>(std::min<std::uint64_t>(input.size(), body_left_));
  body_left_ -= size;
  return {Event::kBody, size, input.substr(0, size)};
}

}  // namespace wwwd
