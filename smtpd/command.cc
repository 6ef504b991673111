#include "smtpd/command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "lib/messages.h"
#include "lib/text.h"

namespace smtpd {

using po::equal_ignoring_case;

namespace {

struct VerbName {
  std::string_view name;
  Verb verb;
};
constexpr auto kVerbs = std::to_array<VerbName>({
    {"MAIL", Verb::kMail},         {"RCPT", Verb::kRcpt},        {"DATA", Verb::kData},
    {"EHLO", Verb::kEhlo},         {"BDAT", Verb::kBdat},        {"RSET", Verb::kRset},
    {"NOOP", Verb::kNoop},         {"QUIT", Verb::kQuit},        {"HELO", Verb::kHelo},
    {"STARTTLS", Verb::kStartTls}, {"AUTH", Verb::kAuth},        {"VRFY", Verb::kVrfy},
    {"HELP", Verb::kHelp},         {"EXPN", Verb::kNotBuilt},    {"ETRN", Verb::kEtrn},
    {"TURN", Verb::kNotBuilt},     {"SEND", Verb::kNotBuilt},    {"SOML", Verb::kNotBuilt},
    {"SAML", Verb::kNotBuilt},     {"QSND", Verb::kQsnd},        {"GET", Verb::kHttp},
    {"POST", Verb::kHttp},         {"PUT", Verb::kHttp},         {"HEAD", Verb::kHttp},
    {"OPTIONS", Verb::kHttp},      {"CONNECT", Verb::kHttp},     {"DELETE", Verb::kHttp},
    {"PATCH", Verb::kHttp},        {"TRACE", Verb::kHttp},       {"PROPFIND", Verb::kHttp},
    {"HOST:", Verb::kHttp},        {"USER-AGENT:", Verb::kHttp}, {"CONTENT-LENGTH:", Verb::kHttp},
});

constexpr std::size_t kMaxEnvid = 100;   // RFC 3461 4.4
constexpr std::size_t kMaxOrcpt = 500;   // RFC 3461 4.2
constexpr std::size_t kMaxLogin = 1024;  // both fit into one Authenticate frame
constexpr std::size_t kMaxPassword = 4096;

tl::unexpected<Refusal> refuse(const Reply& r) {
  return tl::unexpected<Refusal>(Refusal(r));
}
tl::unexpected<Refusal> refuse(int code, std::string_view enhanced, std::string text) {
  return tl::unexpected<Refusal>(Refusal(code, enhanced, std::move(text)));
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || text.size() > 20) return std::nullopt;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view take_word(std::string_view& rest) {
  std::size_t end = rest.find(' ');
  std::string_view word = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : po::trim(rest.substr(end));
  return word;
}

/// esmtp-param (RFC 5321 4.1.2): keyword, and a value unless there is no '='.
struct Parameter {
  std::string_view key;
  std::string_view value;
  bool has_value = false;
};

bool is_keyword(std::string_view key) {
  return !key.empty() && po::is_alnum(key[0]) &&
         std::all_of(key.begin(), key.end(), [](char c) { return po::is_alnum(c) || c == '-'; });
}

Parsed<std::vector<Parameter>> parse_parameters(std::string_view rest) {
  std::vector<Parameter> out;
  while (!rest.empty()) {
    std::string_view word = take_word(rest);
    Parameter p;
    std::size_t equals = word.find('=');
    p.key = word.substr(0, equals);
    p.has_value = equals != std::string_view::npos;
    if (p.has_value) p.value = word.substr(equals + 1);
    if (!is_keyword(p.key) || (p.has_value && p.value.empty())) return refuse(replies::kBadParameter);
    for (const Parameter& before : out) {
      if (equal_ignoring_case(before.key, p.key)) return refuse(replies::kBadParameter);
    }
    out.push_back(p);
  }
  return out;
}

/// "FROM:<...> ..." -> "<...> ...". Blanks after the colon are common and harmless.
std::optional<std::string_view> after_keyword(std::string_view argument, std::string_view keyword) {
  if (!po::starts_with_ignoring_case(argument, keyword)) return std::nullopt;
  std::string_view rest = po::trim(argument.substr(keyword.size()));
  if (rest.empty() || rest[0] != '<') return std::nullopt;
  return rest;
}

bool is_xtext(std::string_view text) {
  auto decoded = po::xtext_decode(text);
  return decoded && !decoded->empty() && !po::has_control(*decoded);
}

/// addr-type ";" xtext, or utf-8-addr-xtext of RFC 6533, which may hold UTF-8 under SMTPUTF8.
bool is_orcpt(std::string_view text, bool utf8) {
  std::size_t semicolon = text.find(';');
  if (text.size() > kMaxOrcpt || semicolon == std::string_view::npos) return false;
  std::string_view type = text.substr(0, semicolon), address = text.substr(semicolon + 1);
  if (!is_keyword(type) || address.empty()) return false;
  if (!equal_ignoring_case(type, "utf-8")) return is_xtext(address);
  auto ok = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '='; };
  return std::all_of(address.begin(), address.end(), ok) && !po::has_control(address) &&
         (po::is_ascii(address) || (utf8 && po::is_utf8(address)));
}

std::optional<std::uint8_t> parse_notify(std::string_view value) {
  using namespace po::messages;
  std::uint8_t bits = 0;
  while (true) {
    std::size_t comma = value.find(',');
    std::string_view word = value.substr(0, comma);
    std::uint8_t bit = 0;
    if (equal_ignoring_case(word, "NEVER")) bit = kNotifyNever;
    if (equal_ignoring_case(word, "SUCCESS")) bit = kNotifySuccess;
    if (equal_ignoring_case(word, "FAILURE")) bit = kNotifyFailure;
    if (equal_ignoring_case(word, "DELAY")) bit = kNotifyDelay;
    if (bit == 0 || (bits & bit) != 0) return std::nullopt;
    bits = static_cast<std::uint8_t>(bits | bit);
    if (comma == std::string_view::npos) break;
    value.remove_prefix(comma + 1);
  }
  if ((bits & kNotifyNever) != 0 && bits != kNotifyNever) return std::nullopt;
  return bits;
}

/// Takes one parameter of MAIL; false if its value is wrong, nothing if its key is not known.
std::optional<bool> take_mail_parameter(const Parameter& p, MailCommand& m) {
  auto is = [&](std::string_view key) { return equal_ignoring_case(p.key, key); };
  auto value_is = [&](std::string_view value) { return equal_ignoring_case(p.value, value); };
  if (is("SMTPUTF8")) {
    m.smtputf8 = true;
    return !p.has_value;
  }
  if (is("SIZE")) {
    auto n = parse_number(p.value);
    m.size = n.value_or(0);
    return n.has_value();
  }
  if (is("BODY")) {
    m.body_8bit = value_is("8BITMIME");
    return m.body_8bit || value_is("7BIT");
  }
  if (is("RET")) {
    m.ret = value_is("FULL") ? 1 : value_is("HDRS") ? 2 : 0;
    return m.ret != 0;
  }
  if (is("ENVID")) {
    m.envid = p.value;
    return p.has_value && p.value.size() <= kMaxEnvid && is_xtext(p.value);
  }
  // RFC 4954 section 5: a server that trusts nobody's word takes AUTH=anything for AUTH=<>.
  if (is("AUTH")) return p.has_value;
  return std::nullopt;
}

}  // namespace

Command parse_command(std::string_view line) {
  line = po::trim(line);
  std::size_t blank = line.find(' ');
  std::string_view word = line.substr(0, blank);
  Command c;
  if (blank != std::string_view::npos) c.argument = po::trim(line.substr(blank));
  for (const VerbName& v : kVerbs) {
    if (word.size() == v.name.size() && equal_ignoring_case(word, v.name)) {
      c.verb = v.verb;
      break;
    }
  }
  return c;
}

Parsed<std::string> parse_helo(std::string_view argument) {
  auto ok = [](char c) {
    return po::is_alnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  };
  if (argument.empty() || argument.size() > po::kMaxDomain ||
      !std::all_of(argument.begin(), argument.end(), ok)) {
    return refuse(replies::kBadHelo);
  }
  return std::string(argument);
}

Parsed<MailCommand> parse_mail(std::string_view argument, bool need_domain) {
  auto rest = after_keyword(argument, "FROM:");
  if (!rest) return refuse(replies::kMailSyntax);
  // The parameters behind the path decide whether the path may hold UTF-8: it is judged after them.
  auto path = po::parse_path(*rest, {.utf8 = true, .need_domain = need_domain});
  if (!path) return refuse(553, "5.1.7", path.error().text);
  std::string_view written(rest->data(), rest->size() - path->rest.size());
  auto parameters = parse_parameters(path->rest);
  if (!parameters) return tl::unexpected<Refusal>(parameters.error());
  MailCommand m;
  m.sender = std::move(path->mailbox);
  m.null = path->null;
  for (const Parameter& p : *parameters) {
    auto taken = take_mail_parameter(p, m);
    if (!taken) return refuse(replies::kUnknownParameter);
    if (!*taken) return refuse(replies::kBadParameter);
  }
  if (!m.smtputf8 && !po::is_ascii(written)) return refuse(replies::kNeedUtf8);
  return m;
}

Parsed<RcptCommand> parse_rcpt(std::string_view argument, bool utf8) {
  auto rest = after_keyword(argument, "TO:");
  if (!rest) return refuse(replies::kRcptSyntax);
  auto path = po::parse_path(*rest, {.utf8 = true, .need_domain = false});
  if (!path) return refuse(553, "5.1.3", path.error().text);
  if (path->null) return refuse(replies::kNullRecipient);
  std::string_view written(rest->data(), rest->size() - path->rest.size());
  if (!utf8 && !po::is_ascii(written)) return refuse(replies::kNeedUtf8);
  auto parameters = parse_parameters(path->rest);
  if (!parameters) return tl::unexpected<Refusal>(parameters.error());
  RcptCommand r;
  r.recipient = std::move(path->mailbox);
  for (const Parameter& p : *parameters) {
    if (equal_ignoring_case(p.key, "NOTIFY")) {
      auto bits = parse_notify(p.value);
      if (!bits) return refuse(replies::kBadParameter);
      r.notify = *bits;
    } else if (equal_ignoring_case(p.key, "ORCPT")) {
      if (!is_orcpt(p.value, utf8)) return refuse(replies::kBadParameter);
      r.orcpt = p.value;
    } else {
      return refuse(replies::kUnknownParameter);
    }
  }
  return r;
}

Parsed<BdatCommand> parse_bdat(std::string_view argument) {
  BdatCommand b;
  auto octets = parse_number(take_word(argument));
  if (!octets) return refuse(replies::kBdatSyntax);
  b.octets = *octets;
  b.last = equal_ignoring_case(argument, "LAST");
  if (!b.last && !argument.empty()) return refuse(replies::kBdatSyntax);
  return b;
}

Parsed<StartCommand> parse_start(std::string_view argument) {
  StartCommand s;
  s.subdomains = argument.starts_with('@');
  if (s.subdomains) argument.remove_prefix(1);
  if (argument.empty()) return refuse(replies::kStartSyntax);
  // "#name" of RFC 1985 is a queue by a name that both sides agreed on; there are none.
  if (argument.front() == '#') return refuse(replies::kNoNamedQueues);
  auto domain = po::parse_domain(argument);
  if (!domain) return refuse(501, "5.5.4", domain.error().text);
  s.domain = std::move(*domain);
  return s;
}

Parsed<AuthCommand> parse_auth(std::string_view argument) {
  AuthCommand a;
  std::string_view mechanism = take_word(argument);
  if (mechanism.empty()) return refuse(replies::kAuthSyntax);
  if (equal_ignoring_case(mechanism, "LOGIN")) {
    a.mechanism = Mechanism::kLogin;
  } else if (!equal_ignoring_case(mechanism, "PLAIN")) {
    return refuse(replies::kAuthMechanism);
  }
  if (!argument.empty()) a.initial = argument;
  return a;
}

Parsed<std::string> parse_sasl_response(std::string_view text) {
  if (text == "=") return std::string();
  auto decoded = po::base64_decode(text);
  if (!decoded) return refuse(replies::kAuthSyntax);
  return std::move(*decoded);
}

Parsed<Credentials> check_credentials(std::string login, std::string password) {
  if (login.empty() || login.size() > kMaxLogin || !po::is_utf8(login) || po::has_control(login)) {
    return refuse(replies::kAuthSyntax);
  }
  if (password.size() > kMaxPassword || po::has_control(password)) return refuse(replies::kAuthSyntax);
  return Credentials{std::move(login), std::move(password)};
}

Parsed<Credentials> parse_plain(std::string_view message) {
  std::size_t first = message.find('\0');
  if (first == std::string_view::npos) return refuse(replies::kAuthSyntax);
  std::size_t second = message.find('\0', first + 1);
  if (second == std::string_view::npos) return refuse(replies::kAuthSyntax);
  std::string_view authorize = message.substr(0, first);
  std::string_view login = message.substr(first + 1, second - first - 1);
  // Nobody may act as somebody else; many clients name themselves twice.
  if (!authorize.empty() && authorize != login) return refuse(replies::kAuthDenied);
  return check_credentials(std::string(login), std::string(message.substr(second + 1)));
}

}  // namespace smtpd
