#include "deliver/reply.h"

#include <utility>

#include "lib/text.h"

namespace deliver {

static constexpr std::size_t kMaxOneLine = 500;

/// "5.1.1" of RFC 3463 section 2 at the front of the text, which then begins behind it.
static std::string take_status(std::string_view& text, char cls) {
  std::size_t at = 0;
  auto number = [&](std::size_t most) {
    std::size_t digits = 0;
    while (at < text.size() && po::is_digit(text[at]) && digits <= most) ++at, ++digits;
    return digits >= 1 && digits <= most;
  };
  auto dot = [&] { return at < text.size() && text[at++] == '.'; };
  if (text.empty() || text[0] != cls) return {};
  if (!number(1) || !dot() || !number(3) || !dot() || !number(3)) return {};
  if (at < text.size() && text[at] != ' ') return {};
  std::string status(text.substr(0, at));
  text.remove_prefix(std::min(at + 1, text.size()));
  return status;
}

std::string one_line(std::string_view text) {
  std::string out;
  bool utf8 = po::is_utf8(text);
  for (char c : text) {
    auto u = static_cast<unsigned char>(c);
    bool control = u < 0x20 || u == 0x7f;
    out += control || (!utf8 && u >= 0x80) ? '?' : c;
  }
  if (utf8 && po::has_control(out)) {  // U+0080 to U+009F
    for (char& c : out) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  if (out.size() <= kMaxOneLine) return out;
  std::size_t end = kMaxOneLine - 3;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
  return out.substr(0, end) + "...";
}

std::string one_line(const Reply& reply) {
  std::string text = std::to_string(reply.code);
  if (!reply.status.empty()) text += ' ' + reply.status;
  for (const std::string& line : reply.lines) {
    if (!line.empty()) text += ' ' + line;
    if (text.size() > 2 * kMaxOneLine) break;
  }
  return one_line(std::string_view(text));
}

ReplyReader::Status ReplyReader::next(std::string_view& input, Reply& reply) {
  for (;;) {
    auto r = reader_.next(input);
    input.remove_prefix(r.consumed);
    switch (r.status) {
      case po::LineReader::Status::kNeedMore:
        return reader_.pending() > kMaxLine + 1 ? fail("a line of the reply is too long") : Status::kNeedMore;
      case po::LineReader::Status::kTooLong:
        return fail("a line of the reply is too long");
      case po::LineReader::Status::kBareCr:
      case po::LineReader::Status::kBareLf:
        return fail("a line of the reply does not end with CR LF");
      case po::LineReader::Status::kNul:
        return fail("the reply holds an octet zero");
      case po::LineReader::Status::kLine:
        break;
    }
    Status status = take_line(r.line, reply);
    if (status != Status::kNeedMore) return status;
  }
}

ReplyReader::Status ReplyReader::fail(const char* why) {
  error_ = why;
  return Status::kGarbage;
}

ReplyReader::Status ReplyReader::take_line(std::string_view line, Reply& reply) {
  bool digits =
      line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && po::is_digit(line[1]) && po::is_digit(line[2]);
  if (!digits || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) return fail("this is no SMTP reply");
  int code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
  if (lines_ > 0 && code != reply_.code) return fail("the lines of one reply have different codes");
  if (++lines_ > kMaxLines) return fail("the reply has too many lines");
  bool last = line.size() == 3 || line[3] == ' ';
  std::string_view text = line.substr(std::min<std::size_t>(4, line.size()));
  reply_.code = code;
  std::string status = take_status(text, line[0]);
  if (lines_ == 1) reply_.status = std::move(status);
  if (kept_ + text.size() <= kKept) {
    kept_ += text.size();
    reply_.lines.emplace_back(text);
  }
  if (!last) return Status::kNeedMore;
  reply = std::exchange(reply_, {});
  lines_ = kept_ = 0;
  return Status::kReply;
}

void ReplyReader::reset() {
  reader_.reset();
  reply_ = {};
  lines_ = kept_ = 0;
}

}  // namespace deliver
