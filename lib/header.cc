#include "lib/header.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "lib/text.h"

namespace po {

namespace {

// The order of HeaderScanner::Field.
constexpr std::array<std::string_view, HeaderScanner::kFields> kNames = {
    "received", "return-path", "date", "from",       "sender",  "reply-to",
    "to",       "cc",          "bcc",  "message-id", "subject",
};

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

/// ftext of RFC 5322 3.6.8.
bool is_name_octet(char c) {
  return c > ' ' && c <= '~' && c != ':';
}

}  // namespace

// ---- HeaderScanner

void HeaderScanner::feed(std::string_view piece) {
  while (!piece.empty() && !ended()) {
    if (state_ == State::kSkipLine) {
      std::size_t lf = piece.find('\n');
      std::size_t n = lf == std::string_view::npos ? piece.size() : lf + 1;
      size_ += n;
      if (in_message_id_) keep_value(piece.substr(0, n));
      piece.remove_prefix(n);
      if (lf == std::string_view::npos) return;
      line_start_ = size_;
      state_ = State::kLineStart;
      continue;
    }
    ++size_;
    take(piece.front());
    piece.remove_prefix(1);
  }
}

void HeaderScanner::finish() {
  if (ended()) return;
  // A last line that is no complete field name is body.
  bool in_name = state_ == State::kName || state_ == State::kAfterName || state_ == State::kCrAtStart;
  if (in_name) return end_as(End::kNotAField, line_start_);
  end_as(End::kContent, size_);
}

void HeaderScanner::end_as(End end, std::uint64_t size) {
  end_ = end;
  size_ = size;
}

void HeaderScanner::take(char c) {
  switch (state_) {
    case State::kLineStart:
      return start_line(c);
    case State::kCrAtStart:
      return c == '\n' ? end_as(End::kBlankLine, size_) : end_as(End::kNotAField, line_start_);
    case State::kName:
      if (c == ':') return end_name();
      if (is_blank(c)) {
        state_ = State::kAfterName;  // "Subject : x" of RFC 5322 4.5.8
      } else if (!is_name_octet(c)) {
        end_as(End::kNotAField, line_start_);
      } else {
        if (name_size_ < name_.size()) name_[name_size_] = c;
        ++name_size_;
      }
      return;
    case State::kAfterName:
      if (c == ':') return end_name();
      if (!is_blank(c)) end_as(End::kNotAField, line_start_);
      return;
    case State::kSkipLine:
      return;
  }
}

void HeaderScanner::start_line(char c) {
  name_size_ = 0;
  in_message_id_ = in_message_id_ && is_blank(c);
  if (c == '\r') {
    state_ = State::kCrAtStart;
  } else if (c == '\n') {
    end_as(End::kBlankLine, size_);
  } else if (is_blank(c) && line_start_ > 0) {
    state_ = State::kSkipLine;
  } else if (is_name_octet(c)) {
    name_[name_size_++] = c;
    state_ = State::kName;
  } else {
    end_as(End::kNotAField, line_start_);
  }
}

void HeaderScanner::end_name() {
  state_ = State::kSkipLine;
  if (name_size_ > name_.size()) return;
  std::string_view name(name_.data(), name_size_);
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (equal_ignoring_case(name, kNames[i])) ++counts_[i];
  }
  bool is_id = equal_ignoring_case(name, kNames[static_cast<std::size_t>(Field::kMessageId)]);
  in_message_id_ = is_id && count(Field::kMessageId) == 1;
}

void HeaderScanner::keep_value(std::string_view part) {
  for (char c : part) {
    bool before = message_id_.empty() && is_blank(c);
    if (c == '\r' || c == '\n' || before || message_id_.size() >= kMostMessageId) continue;
    message_id_ += c;
  }
}

std::string_view HeaderScanner::message_id() const {
  std::string_view value = trim(message_id_);
  bool good = std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
  return good ? value : std::string_view{};
}

// ---- fields of a whole header block

namespace {

struct FieldText {
  std::string_view whole;  ///< with its continuation lines and line end
  std::string_view name;   ///< empty: the blank line, or no field
  std::string_view value;  ///< still folded, without the last line end
};

std::size_t line_end(std::string_view text, std::size_t from) {
  std::size_t lf = text.find('\n', from);
  return lf == std::string_view::npos ? text.size() : lf + 1;
}

/// Cuts the next field off the front, by the same rules as HeaderScanner.
FieldText take_field(std::string_view& header) {
  std::size_t end = line_end(header, 0);
  while (end < header.size() && is_blank(header[end])) end = line_end(header, end);
  FieldText f{header.substr(0, end), {}, {}};
  header.remove_prefix(end);
  std::size_t colon = 0;
  while (colon < f.whole.size() && is_name_octet(f.whole[colon])) ++colon;
  f.name = f.whole.substr(0, colon);
  while (colon < f.whole.size() && is_blank(f.whole[colon])) ++colon;
  if (colon == f.whole.size() || f.whole[colon] != ':') {
    f.name = {};
    return f;
  }
  f.value = f.whole.substr(colon + 1);
  if (f.value.ends_with('\n')) f.value.remove_suffix(1);
  if (f.value.ends_with('\r')) f.value.remove_suffix(1);
  return f;
}

// ---- the value of a From field

constexpr std::size_t kSoftLine = 76;
constexpr std::size_t kLongWord = 60;

/// A real name is one line of text; what is not is made one.
std::string clean_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  out = trim(out);
  return is_utf8(out) ? out : for_display(out, out.size());
}

/// Whether the name must be written as encoded-words: it is not ASCII, has a word too long to fold at, or
/// would be read as an encoded-word itself.
bool needs_encoding(std::string_view name) {
  if (!is_ascii(name) || name.find("=?") != std::string_view::npos) return true;
  std::size_t word = 0;
  for (char c : name) {
    word = c == ' ' ? 0 : word + 1;
    if (word > kLongWord) return true;
  }
  return false;
}

std::string q_encode(std::string_view character) {
  if (character == " ") return "_";
  // The few octets that RFC 2047 section 5 (3) allows in a phrase, which are good in a comment too.
  char c = character.front();
  if (is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/') return std::string(character);
  std::string out;
  for (char o : character) out += fmt::format("={:02X}", static_cast<unsigned char>(o));
  return out;
}

std::size_t character_length(std::string_view utf8) {
  std::size_t n = 1;
  while (n < utf8.size() && (static_cast<unsigned char>(utf8[n]) & 0xc0) == 0x80) ++n;
  return n;
}

/// Encoded-words of at most 60 characters (the limit is 75), none of which cuts a character.
std::vector<std::string> encoded_words(std::string_view name) {
  std::vector<std::string> words;
  std::string text;
  while (!name.empty()) {
    std::size_t n = character_length(name);
    std::string piece = q_encode(name.substr(0, n));
    name.remove_prefix(n);
    if (text.size() + piece.size() > kLongWord - 12) {
      words.push_back("=?utf-8?Q?" + text + "?=");
      text.clear();
    }
    text += piece;
  }
  words.push_back("=?utf-8?Q?" + text + "?=");
  return words;
}

std::string escape(std::string_view word, std::string_view specials) {
  std::string out;
  for (char c : word) {
    if (specials.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

std::vector<std::string> split_words(std::string_view name) {
  std::vector<std::string> words;
  while (!(name = trim(name)).empty()) {
    std::size_t n = std::min(name.find(' '), name.size());
    words.emplace_back(name.substr(0, n));
    name.remove_prefix(n);
  }
  return words;
}

/// Joins words with spaces, with a line break before the space where the line would grow too long.
std::string fold(const std::vector<std::string>& words, std::size_t column) {
  std::string out;
  for (const std::string& w : words) {
    if (!out.empty()) {
      bool fits = column + 1 + w.size() <= kSoftLine;
      out += fits ? " " : "\r\n ";
      column = fits ? column + 1 : 1;
    }
    out += w;
    column += w.size();
  }
  return out;
}

constexpr std::size_t kFromColumn = 6;  // behind "From: "

}  // namespace

std::string from_value(FromStyle style, std::string_view real_name, std::string_view address) {
  std::string name = clean_name(real_name);
  if (style == FromStyle::kNone || name.empty()) return std::string(address);
  bool encode = needs_encoding(name);
  bool comment = style == FromStyle::kComment;
  std::vector<std::string> words =
      encode ? encoded_words(name) : split_words(escape(name, comment ? "()\\" : "\"\\"));
  if (comment) {
    words.front().insert(0, "(");
    words.back() += ')';
    words.insert(words.begin(), std::string(address));
  } else {
    if (!encode) {
      words.front().insert(0, "\"");
      words.back() += '"';
    }
    words.push_back(fmt::format("<{}>", address));
  }
  return fold(words, kFromColumn);
}

std::string rewrite_from(std::string_view header, FromStyle style, std::string_view real_name,
                         std::string_view address) {
  if (style == FromStyle::kNone) return std::string(header);
  std::string field = "From: " + from_value(style, real_name, address) + "\r\n";
  std::string out;
  out.reserve(header.size() + field.size());
  bool written = false;
  while (!header.empty()) {
    std::string_view before = header;
    FieldText f = take_field(header);
    if (f.name.empty()) {
      header = before;
      break;
    }
    if (!equal_ignoring_case(f.name, "from")) {
      out.append(f.whole);
    } else if (!written) {
      out.append(field);
      written = true;
    }
  }
  if (!written) {
    if (!out.empty() && out.back() != '\n') out.append("\r\n");
    out.append(field);
  }
  return out.append(header);
}

Result<std::vector<Mailbox>> from_addresses(std::string_view header) {
  std::string_view value;
  int fields = 0;
  while (!header.empty()) {
    FieldText f = take_field(header);
    if (f.name.empty()) break;
    if (!equal_ignoring_case(f.name, "from")) continue;
    value = f.value;
    ++fields;
  }
  if (fields == 0) return permanent("the message has no From field");
  if (fields > 1) return permanent("the message has more than one From field");
  auto list = parse_address_list(value);
  if (!list) return permanent("the From field is not understood: " + list.error().text);
  return list;
}

static bool holds_addresses(std::string_view name) {
  if (starts_with_ignoring_case(name, "resent-")) name.remove_prefix(7);
  for (std::string_view known : {"from", "sender", "reply-to", "to", "cc"}) {
    if (equal_ignoring_case(name, known)) return true;
  }
  return false;
}

std::string complete_addresses(std::string_view header, std::string_view domain) {
  std::string out;
  out.reserve(header.size() + 64);
  while (!header.empty()) {
    std::string_view before = header;
    FieldText f = take_field(header);
    if (f.name.empty()) return out.append(before);
    if (!holds_addresses(f.name)) {
      out.append(f.whole);
      continue;
    }
    auto start = static_cast<std::size_t>(f.value.data() - f.whole.data());
    out.append(f.whole.substr(0, start));
    out.append(complete_address_list(f.value, domain));
    out.append(f.whole.substr(start + f.value.size()));
  }
  return out;
}

// ---- date and message id

std::string format_date(std::int64_t seconds, int offset_minutes) {
  constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  // Not gmtime_r(): the first call of it opens /etc/localtime, which a confined process may not.
  std::chrono::sys_seconds local{std::chrono::seconds(seconds) + std::chrono::minutes(offset_minutes)};
  auto day = std::chrono::floor<std::chrono::days>(local);
  std::chrono::year_month_day date(day);
  std::chrono::hh_mm_ss time(local - day);
  int off = std::abs(offset_minutes);
  return fmt::format("{}, {} {} {} {:02}:{:02}:{:02} {}{:02}{:02}",
                     kDays[std::chrono::weekday(day).c_encoding()], static_cast<unsigned>(date.day()),
                     kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     offset_minutes < 0 ? '-' : '+', off / 60, off % 60);
}

std::string make_message_id(std::string_view id, std::string_view host) {
  return fmt::format("<{}@{}>", id, host);
}

}  // namespace po
