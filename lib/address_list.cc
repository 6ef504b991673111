// The address fields of RFC 5322 3.4 and 4.4, read tolerantly but never by guessing (lib/header.h).
#include <fmt/format.h>

#include "lib/header.h"
#include "lib/text.h"

namespace po {

namespace {

/// A header of 64 KiB cannot name more.
constexpr std::size_t kMaxCompleted = 64 * 1024;

/// One word of the field: an atom, a quoted string, a literal, or one special character.
struct Token {
  enum class Type { kEnd, kAtom, kQuoted, kLiteral, kSpecial } type = Type::kEnd;
  std::string text;     ///< without quotes and backslashes; a literal keeps its brackets
  std::size_t end = 0;  ///< where it ends in the field
  [[nodiscard]] bool is(char special) const { return type == Type::kSpecial && text[0] == special; }
  [[nodiscard]] bool word() const { return type == Type::kAtom || type == Type::kQuoted; }
};

/// Cuts a folded field value into tokens; comments and white space vanish.
class Lexer {
 public:
  explicit Lexer(std::string_view in) : in_(in) {}

  Result<Token> next() {
    while (at_ < in_.size()) {
      char c = in_[at_];
      if (c == '(') {
        if (!skip_comment()) return permanent("a comment does not end");
      } else if (c == ' ' || c == '\t') {
        ++at_;
      } else if (c == '\r' || c == '\n') {
        if (!skip_fold()) return permanent("a line break stands where no line is folded");
      } else {
        auto token = take(c);
        if (token) token->end = at_;
        return token;
      }
    }
    return Token{};
  }

 private:
  Result<Token> take(char c) {
    constexpr std::string_view kSpecials = "<>@,:;.";
    if (c == '"') return delimited(Token::Type::kQuoted, '"');
    if (c == '[') return delimited(Token::Type::kLiteral, ']');
    if (kSpecials.find(c) != std::string_view::npos) {
      ++at_;
      return Token{Token::Type::kSpecial, std::string(1, c), 0};
    }
    std::string atom;
    while (at_ < in_.size() && is_atom_octet(in_[at_])) atom += in_[at_++];
    if (atom.empty()) {
      return permanent(fmt::format("the octet {:02x} cannot stand there", static_cast<unsigned char>(c)));
    }
    return Token{Token::Type::kAtom, std::move(atom), 0};
  }

  static bool is_atom_octet(char c) {
    constexpr std::string_view kNotAtom = "()<>[]:;@\\,.\"";
    return static_cast<unsigned char>(c) > ' ' && c != '\x7f' && kNotAtom.find(c) == std::string_view::npos;
  }

  /// A quoted string or literal; folds inside it vanish, as RFC 5322 3.2.4 says.
  Result<Token> delimited(Token::Type type, char close) {
    std::string text;
    for (++at_; at_ < in_.size();) {
      char c = in_[at_];
      if (c == close) {
        ++at_;
        if (type == Token::Type::kLiteral) text.insert(0, 1, '[').push_back(']');
        return Token{type, std::move(text), 0};
      }
      if (c == '\r' || c == '\n') {
        if (!skip_fold()) return permanent("a line break stands where no line is folded");
        continue;
      }
      if (c == '\\' && ++at_ < in_.size()) c = in_[at_];
      if (c == '\r' || c == '\n' || c == '\0') return permanent("a control character stands in quotes");
      text += c;
      ++at_;
    }
    return permanent("quotes or brackets do not end");
  }

  /// Comments nest; a counter instead of recursion, so that depth costs nothing.
  bool skip_comment() {
    std::size_t depth = 0;
    for (; at_ < in_.size(); ++at_) {
      char c = in_[at_];
      if (c == '\0') return false;
      if (c == '\\') {
        ++at_;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && --depth == 0) {
        ++at_;
        return true;
      }
    }
    return false;
  }

  bool skip_fold() {
    if (in_[at_] == '\r') ++at_;
    if (at_ >= in_.size() || in_[at_] != '\n') return false;
    ++at_;
    return at_ < in_.size() && (in_[at_] == ' ' || in_[at_] == '\t');
  }

  std::string_view in_;
  std::size_t at_ = 0;
};

/// mailbox-list and group of RFC 5322 3.4, with route and empty elements of 4.4, as a loop over tokens.
class ListParser {
 public:
  ListParser(std::string_view value, ListRules rules) : lexer_(value), rules_(rules) {}

  /// Where the local parts end that have no domain, in order; after run().
  [[nodiscard]] const std::vector<std::size_t>& without_domain() const { return without_domain_; }

  Result<std::vector<Mailbox>> run() {
    if (auto r = advance(); !r) return tl::unexpected(r.error());
    while (token_.type != Token::Type::kEnd) {
      if (auto r = element(); !r) return tl::unexpected(r.error());
    }
    if (in_group_) return permanent("a group does not end with a semicolon");
    if (found_.empty() && !rules_.may_be_empty) return permanent("it names no address");
    return std::move(found_);
  }

 private:
  Result<void> advance() {
    auto t = lexer_.next();
    if (!t) return tl::unexpected(t.error());
    token_ = std::move(*t);
    return {};
  }

  /// One element of the list, or what stands between two.
  Result<void> element() {
    if (token_.is(',')) {
      after_mailbox_ = false;
      return advance();
    }
    if (token_.is(';') && in_group_) {
      in_group_ = false;
      after_mailbox_ = true;  // a comma must follow
      return advance();
    }
    if (after_mailbox_) return permanent("two addresses stand without a comma between them");
    after_mailbox_ = true;
    return mailbox_or_group();
  }

  /// Words and dots are a display name or a local part, by what comes after them.
  Result<void> mailbox_or_group() {
    if (auto r = words(); !r) return r;
    if (token_.is('<')) return angle_address();
    if (token_.is(':') && !in_group_ && !words_.empty()) {
      in_group_ = true;
      after_mailbox_ = false;
      return advance();
    }
    if (token_.is('@')) return address();
    // "From: janie" on the submission port; the caller completes it.
    if (local_ok_ && ends_element()) return add("");
    return permanent("a name stands without an address");
  }

  [[nodiscard]] bool ends_element() const {
    return token_.type == Token::Type::kEnd || token_.is(',') || token_.is(';');
  }

  Result<void> words() {
    words_.clear();
    local_ok_ = true;
    bool dot_before = true;
    while (token_.word() || token_.is('.')) {
      bool dot = token_.is('.');
      // word *("." word), or it is no local part.
      if (dot == dot_before) local_ok_ = false;
      dot_before = dot;
      words_.push_back(token_);
      if (auto r = advance(); !r) return r;
    }
    if (dot_before) local_ok_ = false;
    return {};
  }

  Result<void> angle_address() {
    if (auto r = advance(); !r) return r;
    if (token_.is('@')) {
      if (auto r = route(); !r) return r;
    }
    if (auto r = words(); !r) return r;
    if (token_.is('@')) {
      if (auto r = address(); !r) return r;
    } else if (auto r = add(""); !r) {
      return r;
    }
    if (!token_.is('>')) return permanent("an address in < has no >");
    return advance();
  }

  /// "@a,@b:" of RFC 5322 4.4, which leads nowhere.
  Result<void> route() {
    while (!token_.is(':')) {
      bool part = token_.is('@') || token_.is(',') || token_.is('.') || token_.type == Token::Type::kAtom ||
                  token_.type == Token::Type::kLiteral;
      if (!part) return permanent("a route does not end with a colon");
      if (auto r = advance(); !r) return r;
    }
    return advance();
  }

  /// From the @ on: the domain.
  Result<void> address() {
    if (auto r = advance(); !r) return r;
    std::string domain;
    if (token_.type == Token::Type::kLiteral) {
      domain = token_.text;
      if (auto r = advance(); !r) return r;
    } else {
      bool dot_before = true;
      while (token_.type == Token::Type::kAtom || token_.is('.')) {
        if (token_.is('.') == dot_before) break;
        dot_before = token_.is('.');
        domain += token_.text;
        if (auto r = advance(); !r) return r;
      }
    }
    if (domain.empty()) return permanent("an address has no domain behind its @");
    if (!ends_element() && !token_.is('>')) return permanent("something stands behind a domain");
    return add(domain);
  }

  /// The words read last are the local part.
  Result<void> add(const std::string& domain) {
    if (!local_ok_) return permanent("an address has no legal local part");
    Mailbox raw{"", ""};
    for (const Token& t : words_) raw.local += t.text;
    // Written out and read again by the one parser of addresses, so that both agree on what is legal.
    std::string text = raw.canonical();
    if (!domain.empty()) text += "@" + domain;
    auto m = parse_mailbox(text, {.utf8 = true, .need_domain = false});
    if (!m) return tl::unexpected(m.error());
    if (found_.size() >= rules_.most) return permanent("it names too many addresses");
    found_.push_back(std::move(*m));
    if (domain.empty()) without_domain_.push_back(words_.back().end);
    return {};
  }

  Lexer lexer_;
  ListRules rules_;
  Token token_;
  std::vector<Token> words_;
  std::vector<Mailbox> found_;
  std::vector<std::size_t> without_domain_;
  bool local_ok_ = false, in_group_ = false, after_mailbox_ = false;
};

}  // namespace

Result<std::vector<Mailbox>> parse_address_list(std::string_view value, ListRules rules) {
  return ListParser(value, rules).run();
}

std::string complete_address_list(std::string_view value, std::string_view domain) {
  ListParser list(value, {.most = kMaxCompleted, .may_be_empty = true});
  auto read = list.run();
  if (!read) return std::string(value);
  std::string out;
  std::size_t from = 0;
  for (std::size_t end : list.without_domain()) {
    out.append(value.substr(from, end - from)).append("@").append(domain);
    from = end;
  }
  return out.append(value.substr(from));
}

}  // namespace po
