#include "wwwd/multipart.h"

#include <algorithm>
#include <utility>

#include "lib/text.h"

namespace wwwd {

// ---- the boundary

static bool is_boundary(std::string_view text) {
  constexpr std::string_view kOthers = "'()+_,-./:=?";
  return !text.empty() && text.size() <= 70 && std::all_of(text.begin(), text.end(), [&](char c) {
    return po::is_alnum(c) || kOthers.find(c) != std::string_view::npos;
  });
}

static std::string_view without_quotes(std::string_view text) {
  bool both = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  return both ? text.substr(1, text.size() - 2) : text;
}

std::optional<std::string> multipart_boundary(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/form-data", kName = "boundary=";
  auto semicolon = content_type.find(';');
  if (semicolon == std::string_view::npos) return {};
  if (!po::equal_ignoring_case(po::trim(content_type.substr(0, semicolon)), kType)) return {};
  // One parameter alone: browsers and curl send no other, and two boundaries would be two readings.
  std::string_view parameter = po::trim(content_type.substr(semicolon + 1));
  if (!po::starts_with_ignoring_case(parameter, kName)) return {};
  std::string_view value = without_quotes(parameter.substr(kName.size()));
  if (!is_boundary(value)) return {};
  return std::string(value);
}

// ---- the header of a part

namespace {

struct PartHeader {
  std::string name;
  bool file = false;
};

/// `; name="value"` at the beginning of `rest`, taken off it. Browsers write " as %22 and line ends as %0D%0A
/// in it (WHATWG HTML 4.10.22.7), curl puts a backslash before ": neither is in a name of ours, and what a
/// file is called is of no interest.
std::optional<std::pair<std::string_view, std::string_view>> next_parameter(std::string_view& rest) {
  if (!rest.starts_with(';')) return {};
  rest = po::trim(rest.substr(1));
  auto equals = rest.find("=\"");
  if (equals == std::string_view::npos || equals == 0) return {};
  std::string_view name = rest.substr(0, equals);
  std::size_t end = equals + 2;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  if (end >= rest.size()) return {};
  std::string_view value = rest.substr(equals + 2, end - equals - 2);
  rest.remove_prefix(end + 1);
  return std::pair{name, value};
}

/// What stands behind "Content-Disposition:".
std::optional<PartHeader> read_disposition(std::string_view value) {
  constexpr std::string_view kForm = "form-data";
  value = po::trim(value);
  if (!po::starts_with_ignoring_case(value, kForm)) return {};
  value.remove_prefix(kForm.size());
  PartHeader header;
  while (!value.empty()) {
    auto parameter = next_parameter(value);
    if (!parameter) return {};
    if (po::equal_ignoring_case(parameter->first, "name")) {
      if (!header.name.empty()) return {};
      header.name = parameter->second;
    } else if (po::equal_ignoring_case(parameter->first, "filename")) {
      header.file = true;
    } else {
      return {};
    }
  }
  bool good = !header.name.empty() && header.name.size() <= MultipartReader::kMostName &&
              std::all_of(header.name.begin(), header.name.end(),
                          [](char c) { return po::is_alnum(c) || c == '-' || c == '_'; });
  if (!good) return {};
  return header;
}

/// All fields, each with its CR LF.
std::optional<PartHeader> read_header(std::string_view fields) {
  constexpr std::string_view kDisposition = "content-disposition:";
  std::optional<PartHeader> header;
  while (!fields.empty()) {
    auto end = fields.find("\r\n");
    if (end == std::string_view::npos) return {};
    std::string_view line = fields.substr(0, end);
    fields.remove_prefix(end + 2);
    if (po::has_control(line) || line.starts_with(' ')) return {};
    if (!po::starts_with_ignoring_case(line, kDisposition)) continue;
    if (header) return {};
    header = read_disposition(line.substr(kDisposition.size()));
    if (!header) return {};
  }
  return header;
}

}  // namespace

// ---- the body

// The first delimiter has no line end before it; as if it had, all are alike.
MultipartReader::MultipartReader(std::string_view boundary, Sink sink)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(std::move(sink)), buffer_("\r\n") {}

bool MultipartReader::break_off() {
  state_ = State::kBroken;
  buffer_.clear();
  return false;
}

void MultipartReader::give(std::string_view piece) {
  if (!piece.empty()) sink_.on_data(piece);
}

bool MultipartReader::feed(std::string_view octets) {
  if (state_ == State::kBroken) return false;
  buffer_.append(octets);
  while (step()) {
  }
  return state_ != State::kBroken;
}

/// Whether there may be more to do with what is there.
bool MultipartReader::step() {
  switch (state_) {
    case State::kData:
      return take_data();
    case State::kBehindDelimiter:
      return take_behind();
    case State::kHeader:
      return take_header();
    case State::kEnd:
      return std::string_view("\r\n").starts_with(buffer_) ? false : break_off();
    case State::kBroken:
      break;
  }
  return false;
}

bool MultipartReader::take_data() {
  auto at = buffer_.find(delimiter_);
  bool found = at != std::string::npos;
  // The end of what is there may be the beginning of a delimiter.
  std::size_t sure = found ? at : buffer_.size() - std::min(buffer_.size(), delimiter_.size() - 1);
  if (!in_part_ && sure > 0) return break_off();
  give(std::string_view(buffer_).substr(0, sure));
  buffer_.erase(0, sure + (found ? delimiter_.size() : 0));
  if (found) state_ = State::kBehindDelimiter;
  return found;
}

/// Another part follows, or the end with at most one line end behind it.
bool MultipartReader::take_behind() {
  if (buffer_.size() < 2) return false;
  if (buffer_.starts_with("\r\n")) {
    if (++parts_ > kMostParts) return break_off();
    buffer_.erase(0, 2);
    state_ = State::kHeader;
    return true;
  }
  if (!buffer_.starts_with("--") || !in_part_) return break_off();
  buffer_.erase(0, 2);
  state_ = State::kEnd;
  return true;
}

bool MultipartReader::take_header() {
  auto end = buffer_.find("\r\n\r\n");
  if (end == std::string::npos) return buffer_.size() > kMostHeader ? break_off() : false;
  auto header = end <= kMostHeader ? read_header(std::string_view(buffer_).substr(0, end + 2)) : std::nullopt;
  if (!header) return break_off();
  buffer_.erase(0, end + 4);
  in_part_ = true;
  state_ = State::kData;
  sink_.on_part(header->name, header->file);
  return true;
}

}  // namespace wwwd
