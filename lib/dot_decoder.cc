#include "lib/dot_decoder.h"

#include <cstring>

namespace po {

namespace {

bool holds(std::string_view text, char c) {
  return !text.empty() && std::memchr(text.data(), c, text.size()) != nullptr;
}

enum class Stopped : std::uint8_t { kAfterCrlf, kAfterBareLf, kAfterCr, kAtEnd };

/// Walks from inside a line to the octet after its end, or to the end of the input. Two memchr passes over
/// each line and no loop over octets: this is the hot path of the server.
Stopped walk_line(std::string_view in, std::size_t& at, ContentFaults& faults) {
  std::string_view rest = in.substr(at);
  const void* found = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
  if (found == nullptr) {
    at = in.size();
    if (rest.empty()) return Stopped::kAtEnd;
    bool ends_in_cr = rest.back() == '\r';
    if (ends_in_cr) rest.remove_suffix(1);
    if (holds(rest, '\r')) faults.bare_cr = true;
    return ends_in_cr ? Stopped::kAfterCr : Stopped::kAtEnd;
  }
  auto length = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
  at += length + 1;
  rest = rest.substr(0, length);
  bool crlf = !rest.empty() && rest.back() == '\r';
  if (crlf) rest.remove_suffix(1);
  if (holds(rest, '\r')) faults.bare_cr = true;
  if (!crlf) faults.bare_lf = true;
  return crlf ? Stopped::kAfterCrlf : Stopped::kAfterBareLf;
}

}  // namespace

void CrlfCheck::feed(std::string_view in) {
  if (holds(in, '\0')) faults_.nul = true;
  std::size_t at = 0;
  while (at < in.size()) {
    if (state_ == State::kCr) {
      if (in[at] == '\n') {
        ++at;
        state_ = State::kLineStart;
        continue;
      }
      faults_.bare_cr = true;
    }
    switch (walk_line(in, at, faults_)) {
      case Stopped::kAfterCrlf:
        state_ = State::kLineStart;
        break;
      case Stopped::kAfterCr:
        state_ = State::kCr;
        break;
      case Stopped::kAfterBareLf:
      case Stopped::kAtEnd:
        state_ = State::kText;
        break;
    }
  }
}

void CrlfCheck::finish() {
  if (state_ == State::kCr) faults_.bare_cr = true;
}

std::size_t DotDecoder::text(std::string_view in, std::size_t at) {
  switch (walk_line(in, at, faults_)) {
    case Stopped::kAfterCrlf:
      state_ = State::kLineStart;
      break;
    case Stopped::kAfterCr:
      state_ = State::kCr;
      break;
    case Stopped::kAfterBareLf:  // not the start of a line: ".\r\n" after it is text
    case Stopped::kAtEnd:
      state_ = State::kText;
      break;
  }
  return at;
}

std::size_t DotDecoder::feed(std::string_view in, std::string& out) {
  std::size_t at = 0;
  std::size_t run = 0;  // in[run, at) is content that was not appended yet
  auto skip = [&](std::size_t to) {
    out.append(in.substr(run, at - run));
    at = run = to;
  };
  while (at < in.size() && state_ != State::kEnded) {
    switch (state_) {
      case State::kLineStart:
        if (in[at] == '.') {
          skip(at + 1);
          state_ = State::kDot;
        } else {
          at = text(in, at);
        }
        break;
      case State::kDot:
        if (in[at] == '\r') {
          skip(at + 1);
          state_ = State::kDotCr;
        } else {
          at = text(in, at);  // the dot before it was stuffing
        }
        break;
      case State::kDotCr:
        if (in[at] == '\n') {
          skip(at + 1);
          state_ = State::kEnded;
        } else {
          faults_.bare_cr = true;
          out += '\r';
          at = text(in, at);
        }
        break;
      case State::kCr:
        if (in[at] == '\n') {
          ++at;
          state_ = State::kLineStart;
        } else {
          faults_.bare_cr = true;
          at = text(in, at);
        }
        break;
      case State::kText:
        at = text(in, at);
        break;
      case State::kEnded:
        break;
    }
  }
  skip(at);
  if (holds(in.substr(0, at), '\0')) faults_.nul = true;
  return at;
}

}  // namespace po
