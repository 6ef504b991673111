#include "deliver/to_7bit.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "lib/text.h"

namespace deliver {
namespace {

constexpr std::size_t kMaxLine = 4096;          // longer ones are handled in pieces
constexpr std::size_t kMaxHeader = 256 * 1024;  // of a part; a longer one is not understood
constexpr std::size_t kMaxDepth = 64;           // multiparts within one another
constexpr std::size_t kMaxBoundary = 200;       // RFC 2046 5.1.1 allows 70
constexpr std::size_t kMaxParts = 10'000;       // the rest shares the last one's place

bool is_8bit(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

// ---- encoders: content in pieces, lines of at most 76 octets out (RFC 2045 sections 6.7 and 6.8)

class QuotedPrintable {
 public:
  void add(std::string_view text, std::string& out) {
    for (char c : text) {
      if (std::exchange(blank_, '\0') != '\0') plain(held_, out);
      if (c == ' ' || c == '\t') {
        blank_ = held_ = c;  // literal only if the line goes on
      } else if (c > ' ' && c < 127 && c != '=') {
        plain(c, out);
      } else {
        quoted(c, out);
      }
    }
  }
  void end_line(std::string& out) {
    end(out);
    out += "\r\n";
    column_ = 0;
  }
  void end(std::string& out) {
    if (std::exchange(blank_, '\0') != '\0') quoted(held_, out);
  }

 private:
  /// False: the line had to be broken for them.
  bool room(std::size_t n, std::string& out) {
    bool there = column_ + n <= 75;
    if (!there) out += "=\r\n";
    column_ = there ? column_ + n : n;
    return there;
  }
  void plain(char c, std::string& out) {
    bool there = room(1, out);
    if (there || c != '-') {
      out += c;
    } else {
      column_ = 0;  // no line of ours may look like a boundary
      quoted(c, out);
    }
  }
  void quoted(char c, std::string& out) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    auto u = static_cast<unsigned char>(c);
    (void)room(3, out);
    out += '=';
    out += kHex[u >> 4];
    out += kHex[u & 15];
  }

  std::size_t column_ = 0;
  char blank_ = '\0', held_ = '\0';
};

class Base64 {
 public:
  void add(std::string_view octets, std::string& out) {
    held_.append(octets);
    constexpr std::size_t kLine = 57;  // 76 characters
    std::size_t at = 0;
    for (; held_.size() - at >= kLine; at += kLine)
      out += po::base64_encode(std::string_view(held_).substr(at, kLine)) + "\r\n";
    held_.erase(0, at);
  }
  void end(std::string& out) {
    if (!held_.empty()) out += po::base64_encode(held_) + "\r\n";
    held_.clear();
  }

 private:
  std::string held_;
};

// ---- header fields

struct Field {
  std::string_view whole;  ///< with its folded lines and line ends
  std::string name;        ///< lower case
  std::string value;       ///< unfolded
};

std::vector<Field> split_fields(std::string_view header) {
  std::vector<Field> out;
  while (!header.empty()) {
    std::size_t end = 0;
    do {
      std::size_t eol = header.find("\r\n", end);
      end = eol == std::string_view::npos ? header.size() : eol + 2;
    } while (end < header.size() && (header[end] == ' ' || header[end] == '\t'));
    Field f{header.substr(0, end), {}, {}};
    std::size_t colon = f.whole.find(':');
    if (colon != std::string_view::npos) {
      f.name = po::ascii_lower(po::trim(f.whole.substr(0, colon)));
      for (char c : f.whole.substr(colon + 1)) {
        if (c != '\r' && c != '\n') f.value += c;
      }
    }
    out.push_back(std::move(f));
    header.remove_prefix(end);
  }
  return out;
}

/// Tokens of a structured value: comments and blanks go, quoted strings lose their quotes.
class Tokens {
 public:
  explicit Tokens(std::string_view text) : text_(text) {}
  /// A token, or a single special; empty at the end.
  std::string next() {
    skip();
    std::string out;
    if (at_ >= text_.size()) return out;
    if (text_[at_] == '"') return quoted();
    if (special(text_[at_])) return std::string(1, text_[at_++]);
    while (at_ < text_.size() && !special(text_[at_]) && text_[at_] != ' ' && text_[at_] != '\t' &&
           text_[at_] != '"' && text_[at_] != '(')
      out += text_[at_++];
    if (out.empty()) ++at_;
    return out;
  }

 private:
  static bool special(char c) { return c == ';' || c == '=' || c == '/' || c == ','; }
  void skip() {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (c == '\\' && depth > 0) {
        ++at_;
      } else if (c == '(') {
        ++depth;
      } else if (c == ')' && depth > 0) {
        --depth;
      } else if (depth == 0 && c != ' ' && c != '\t') {
        return;
      }
    }
  }
  std::string quoted() {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      out += text_[at_];
    }
    if (at_ < text_.size()) ++at_;
    return out;
  }
  std::string_view text_;
  std::size_t at_ = 0;
};

struct Type {
  std::string type = "text", subtype = "plain", boundary;
};

Type parse_type(std::string_view value) {
  Type t;
  Tokens tokens(value);
  std::string type = po::ascii_lower(tokens.next());
  if (tokens.next() != "/") return t;
  t.type = std::move(type);
  t.subtype = po::ascii_lower(tokens.next());
  std::string token;
  while (!(token = tokens.next()).empty()) {
    // A boundary may have any of its characters outside of quotes at the hands of careless programs; the
    // first token is taken, as others do.
    if (!po::equal_ignoring_case(token, "boundary") || tokens.next() != "=") continue;
    t.boundary = tokens.next();
    break;
  }
  return t;
}

/// What is known of a part when its header has ended.
struct Part {
  Type type;
  std::string encoding;  ///< lower case; empty: no such field
  bool has_type = false, has_version = false;

  [[nodiscard]] bool plain() const {
    return encoding.empty() || encoding == "7bit" || encoding == "8bit" || encoding == "binary";
  }
  [[nodiscard]] bool multipart() const {
    return type.type == "multipart" && !type.boundary.empty() && type.boundary.size() <= kMaxBoundary;
  }
  [[nodiscard]] bool message() const {
    return type.type == "message" && (type.subtype == "rfc822" || type.subtype == "news");
  }
};

Part parse_part(const std::vector<Field>& fields, bool in_digest) {
  Part p;
  if (in_digest) p.type = {"message", "rfc822", {}};
  for (const Field& f : fields) {
    if (f.name == "content-type" && !p.has_type) {
      p.type = parse_type(f.value);
      p.has_type = true;
    } else if (f.name == "content-transfer-encoding" && p.encoding.empty()) {
      p.encoding = po::ascii_lower(Tokens(f.value).next());
    } else if (f.name == "mime-version") {
      p.has_version = true;
    }
  }
  return p;
}

// ---- the walk

/// Both passes: the first only notes, the second only writes, and they cannot disagree on what is a part.
class Walk {
 public:
  explicit Walk(EightBitParts* noted) : noted_(noted) {}
  explicit Walk(EightBitParts known) : known_(std::move(known)) {}

  void add(std::string_view piece, std::string& out) {
    while (!piece.empty()) {
      std::size_t lf = piece.find('\n');
      std::size_t take = lf == std::string_view::npos ? piece.size() : lf + 1;
      take = std::min(take, kMaxLine - line_.size());
      line_.append(piece.substr(0, take));
      piece.remove_prefix(take);
      if (line_.ends_with("\r\n")) {
        on_line(std::string_view(line_).substr(0, line_.size() - 2), true, out);
        line_.clear();
      } else if (line_.size() >= kMaxLine) {
        bool cr = line_.ends_with('\r');
        on_line(std::string_view(line_).substr(0, line_.size() - (cr ? 1 : 0)), false, out);
        line_ = cr ? "\r" : "";
      }
    }
  }

  void finish(std::string& out) {
    if (!line_.empty()) on_line(line_, false, out);
    if (in_header_) end_header(out, false);
    end_leaf(out, true);
  }

 private:
  enum class Mode : std::uint8_t { kAsIs, kQuoted, kBase64, kBetween };
  struct Multipart {
    std::string boundary;
    bool digest = false;
  };

  [[nodiscard]] bool scanning() const { return noted_ != nullptr; }

  void on_line(std::string_view line, bool ends, std::string& out) {
    bool begins = std::exchange(at_line_start_, ends);
    if (begins && line.starts_with("--") && on_boundary(line, ends, out)) return;
    if (in_header_) return on_header_line(line, begins, ends, out);
    on_body_line(line, ends, out);
  }

  void on_header_line(std::string_view line, bool begins, bool ends, std::string& out) {
    bool empty = begins && ends && line.empty();
    if (!empty) {
      header_.append(line);
      if (ends) header_ += "\r\n";
      if (header_.size() <= kMaxHeader) return;
    }
    end_header(out, empty);
  }

  /// The part's header is complete, or cannot be understood.
  void end_header(std::string& out, bool blank_line) {
    in_header_ = false;
    // Of a message, not of a part: MIME means nothing there without its version.
    bool nested = std::exchange(nested_, false);
    bool top = std::exchange(at_top_, false) || nested;
    bool digest = !nested && !stack_.empty() && stack_.back().digest;
    auto fields = split_fields(header_);
    Part part = parse_part(fields, digest && !top);
    if (header_.size() > kMaxHeader) part.encoding = "?";
    if (part.plain() && part.multipart() && stack_.size() < kMaxDepth) {
      write_header(fields, part, part.encoding.empty() ? "" : "7bit", top, out);
      stack_.push_back({part.type.boundary, part.type.subtype == "digest"});
      mode_ = Mode::kBetween;
    } else if (part.plain() && part.message() && depth_of_messages_ < kMaxDepth) {
      write_header(fields, part, part.encoding.empty() ? "" : "7bit", top, out);
      ++depth_of_messages_;
      in_header_ = nested_ = true;
    } else {
      begin_leaf(fields, part, top, out);
    }
    header_.clear();
    if (blank_line) put("\r\n", out);
  }

  void begin_leaf(const std::vector<Field>& fields, const Part& part, bool top, std::string& out) {
    std::size_t index = std::min(parts_, kMaxParts - 1);
    ++parts_;
    if (scanning()) {
      if (noted_->size() <= index) noted_->push_back(false);
      notes_ = part.plain();
    }
    bool recode = part.plain() && index < known_.size() && known_[index];
    mode_ = !recode                                                   ? Mode::kAsIs
            : part.type.type == "text" || part.type.type == "message" ? Mode::kQuoted
                                                                      : Mode::kBase64;
    const char* encoding = mode_ == Mode::kQuoted   ? "quoted-printable"
                           : mode_ == Mode::kBase64 ? "base64"
                                                    : "";
    write_header(fields, part, encoding, top, out);
  }

  /// `encoding` empty: as it was.
  void write_header(const std::vector<Field>& fields, const Part& part, std::string_view encoding, bool top,
                    std::string& out) {
    if (scanning()) return;
    bool changes = !encoding.empty() && encoding != part.encoding;
    if (!changes) return put(header_, out);
    for (const Field& f : fields) {
      if (f.name != "content-transfer-encoding") put(f.whole, out);
    }
    if (!header_.empty() && !header_.ends_with("\r\n")) put("\r\n", out);
    if (top && !part.has_version) put("MIME-Version: 1.0\r\n", out);
    if (top && !part.has_type) put("Content-Type: text/plain; charset=unknown-8bit\r\n", out);
    put("Content-Transfer-Encoding: ", out);
    put(encoding, out);
    put("\r\n", out);
  }

  void on_body_line(std::string_view line, bool ends, std::string& out) {
    if (scanning()) {
      if (mode_ != Mode::kBetween && notes_ && !po::is_ascii(line)) noted_->back() = true;
      return;
    }
    switch (mode_) {
      case Mode::kAsIs:
        put(line, out);
        if (ends) put("\r\n", out);
        break;
      case Mode::kQuoted:
        quoted_.add(line, out);
        if (ends) quoted_.end_line(out);
        break;
      case Mode::kBase64:
        if (std::exchange(crlf_due_, ends)) base64_.add("\r\n", out);
        base64_.add(line, out);
        break;
      case Mode::kBetween:  // preamble and epilogue, which nobody shows
        for (char c : line) out += is_8bit(c) ? '?' : c;
        if (ends) put("\r\n", out);
        break;
    }
  }

  /// `at_end`: of the content. The line end before a boundary belongs to the boundary.
  void end_leaf(std::string& out, bool at_end) {
    if (mode_ == Mode::kQuoted) quoted_.end(out);
    if (mode_ == Mode::kBase64) {
      if (crlf_due_ && at_end) base64_.add("\r\n", out);
      base64_.end(out);
    }
    quoted_ = {};
    crlf_due_ = false;
    mode_ = Mode::kBetween;
  }

  bool on_boundary(std::string_view line, bool ends, std::string& out) {
    std::string_view rest = line.substr(2);
    for (std::size_t i = stack_.size(); i-- > 0;) {
      const std::string& b = stack_[i].boundary;
      if (!rest.starts_with(b)) continue;
      std::string_view behind = rest.substr(b.size());
      bool closes = behind.starts_with("--");
      if (!po::trim(closes ? behind.substr(2) : behind).empty()) continue;
      if (in_header_) end_header(out, false);
      end_leaf(out, false);
      put(line, out);
      if (ends) put("\r\n", out);
      stack_.resize(closes ? i : i + 1);
      in_header_ = !closes;
      nested_ = false;
      mode_ = Mode::kBetween;
      return true;
    }
    return false;
  }

  void put(std::string_view text, std::string& out) {
    if (!scanning()) out.append(text);
  }

  EightBitParts* noted_ = nullptr;
  EightBitParts known_;
  std::string line_, header_;
  std::vector<Multipart> stack_;
  bool at_line_start_ = true, in_header_ = true, at_top_ = true, nested_ = false, notes_ = false,
       crlf_due_ = false;
  std::size_t parts_ = 0, depth_of_messages_ = 0;
  Mode mode_ = Mode::kBetween;
  QuotedPrintable quoted_;
  Base64 base64_;
};

}  // namespace

struct EightBitScan::Impl {
  EightBitParts parts;
  Walk walk{&parts};
  std::string nothing;
};

EightBitScan::EightBitScan() : impl_(std::make_unique<Impl>()) {}
EightBitScan::EightBitScan(EightBitScan&&) noexcept = default;
EightBitScan& EightBitScan::operator=(EightBitScan&&) noexcept = default;
EightBitScan::~EightBitScan() = default;

void EightBitScan::add(std::string_view piece) {
  impl_->walk.add(piece, impl_->nothing);
}

EightBitParts EightBitScan::finish() {
  impl_->walk.finish(impl_->nothing);
  return std::move(impl_->parts);
}

struct To7Bit::Impl {
  explicit Impl(EightBitParts parts) : walk(std::move(parts)) {}
  Walk walk;
};

To7Bit::To7Bit(EightBitParts parts) : impl_(std::make_unique<Impl>(std::move(parts))) {}
To7Bit::To7Bit(To7Bit&&) noexcept = default;
To7Bit& To7Bit::operator=(To7Bit&&) noexcept = default;
To7Bit::~To7Bit() = default;

void To7Bit::add(std::string_view piece, std::string& out) {
  impl_->walk.add(piece, out);
}

void To7Bit::finish(std::string& out) {
  impl_->walk.finish(out);
}

}  // namespace deliver
