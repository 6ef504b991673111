#include "lib/line_buffer.h"

namespace po {

void LineReader::reset() {
  buffer_.clear();
  seen_ = 0;
  last_cr_ = returned_ = false;
  fault_ = Status::kLine;
}

void LineReader::fault(Status status) {
  if (fault_ == Status::kLine) fault_ = status;
}

/// Looks for faults in the next octets of the line, none of which is LF. The order is that of the octets, so
/// that the first fault is the same however the input was cut.
void LineReader::scan(std::string_view piece) {
  for (char c : piece) {
    if (last_cr_) fault(Status::kBareCr);
    last_cr_ = c == '\r';
    ++seen_;
    if (c == '\0') fault(Status::kNul);
    // A CR right behind the limit may be the line end.
    if (seen_ > limit_ + (last_cr_ ? 1 : 0)) fault(Status::kTooLong);
  }
}

void LineReader::keep(std::string_view piece) {
  if (fault_ == Status::kLine) {
    buffer_.append(piece);
  } else {
    buffer_.clear();
  }
}

LineReader::Result LineReader::next(std::string_view input) {
  if (returned_) {
    buffer_.clear();
    returned_ = false;
  }
  std::size_t lf = input.find('\n');
  std::string_view piece = input.substr(0, lf);
  scan(piece);
  if (lf == std::string_view::npos) {
    keep(piece);
    return {Status::kNeedMore, input.size(), {}};
  }
  if (!last_cr_) {
    // The LF is the first octet that cannot be there, unless a fault came before it.
    fault(Status::kBareLf);
  }
  Status status = fault_;
  std::string_view line;
  if (status == Status::kLine) {
    bool whole = buffer_.empty();
    if (!whole) buffer_.append(piece);
    line = whole ? piece : std::string_view(buffer_);
    line.remove_suffix(1);
  }
  seen_ = 0;
  last_cr_ = false;
  fault_ = Status::kLine;
  returned_ = true;
  return {status, lf + 1, line};
}

}  // namespace po
