#include "lib/dot_encoder.h"

#include <cstring>

namespace po {

void DotEncoder::add(std::string_view content, std::string& out) {
  if (full_) return;
  if (cut_) content = content.substr(0, wanted(content));
  if (content.empty()) return;

  // Dots are rarer than line ends in encoded bodies, and as rare in text, so they are what is looked for.
  const char* unsent = content.data();
  const char* at = content.data();
  const char* end = content.data() + content.size();
  while (const void* found = std::memchr(at, '.', static_cast<std::size_t>(end - at))) {
    const char* dot = static_cast<const char*>(found);
    char before = dot == content.data() ? last_ : dot[-1];
    if (before == '\n') {
      out.append(unsent, dot);
      out.push_back('.');
      unsent = dot;
    }
    at = dot + 1;
  }
  out.append(unsent, end);

  char before_last = content.size() > 1 ? end[-2] : last_;
  after_crlf_ = end[-1] == '\n' && before_last == '\r';
  last_ = end[-1];
}

void DotEncoder::finish(std::string& out) {
  out += after_crlf_ ? ".\r\n" : "\r\n.\r\n";
}

// How much of `content` TOP wants. Lines end at LF here, bare or not: what counts is that the cut is at a
// line end.
std::size_t DotEncoder::wanted(std::string_view content) {
  std::size_t at = 0;
  while (at < content.size()) {
    std::string_view rest = content.substr(at);
    std::string_view text = rest.substr(0, rest.find('\n'));
    if (in_header_ && !text.empty())
      line_ = line_ == Line::kNothing && text == "\r" ? Line::kCr : Line::kText;
    if (text.size() == rest.size()) return content.size();
    at += text.size() + 1;
    end_line();
    if (full_) return at;
  }
  return at;
}

void DotEncoder::end_line() {
  bool empty_line = line_ != Line::kText;
  line_ = Line::kNothing;
  if (!in_header_) {
    full_ = --lines_left_ == 0;
  } else if (empty_line) {
    in_header_ = false;
    full_ = lines_left_ == 0;
  }
}

}  // namespace po
