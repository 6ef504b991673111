// Replies of a server, on any octets. The first octet says how the rest is cut: whole and cut must come to
// the same replies, and what is shown of each is short and holds no control character.
#include <cstdint>
#include <string>
#include <string_view>

#include "deliver/reply.h"
#include "lib/error.h"
#include "lib/text.h"

using deliver::Reply;
using deliver::ReplyReader;

static std::string read(std::string_view in, std::size_t step) {
  ReplyReader reader;
  std::string out;
  while (!in.empty()) {
    std::string_view piece = in.substr(0, step);
    in.remove_prefix(piece.size());
    while (!piece.empty()) {
      Reply reply;
      auto status = reader.next(piece, reply);
      if (status == ReplyReader::Status::kNeedMore) break;
      if (status == ReplyReader::Status::kGarbage) return out + reader.error();
      if (reply.code < 200 || reply.code > 599) po::panic("a code that is none");
      std::string line = deliver::one_line(reply);
      if (line.size() > 500 || po::has_control(line)) po::panic("not fit to be shown");
      if (!po::is_utf8(line)) po::panic("not UTF-8");
      out += line + "\n";
    }
  }
  return out;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (read(in, in.size() + 1) != read(in, 1 + data[0] % 16)) po::panic("cut, the replies are others");
  return 0;
}
