// Any octets as an HTTP client. The first octet chooses how they are cut. Two readers get them, one at once
// and one in pieces: the same requests must come out. What is served keeps what its checks promise.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/text.h"
#include "wwwd/guard.h"
#include "wwwd/request.h"

using wwwd::RequestReader;

namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

void check_head(const wwwd::Head& head) {
  must(head.path.starts_with('/') && !po::has_control(head.path));
  must(head.path.find("/../") == std::string::npos && head.path.find("//") == std::string::npos);
  must(head.length == 0 || head.method == wwwd::Method::kPost);
  must(!head.has("transfer-encoding") && !head.host.empty());
  must(!wwwd::own_origin(true, head.host).empty());
  wwwd::Policy policy;
  policy.proxies.push_back(po::parse_access_rule("10.0.0.0/8").value());
  po::messages::NetAddress peer;
  peer.family = 4;
  peer.octets[0] = 10;
  (void)wwwd::source_of(policy, peer, false, head);
  (void)wwwd::cookie_value(head.field("cookie"), "token");
}

std::string play(std::string_view input, std::size_t step) {
  RequestReader reader;
  std::string out;
  std::size_t used = 0;
  for (std::size_t there = 0; there < input.size();) {
    there = std::min(there + step, input.size());
    for (;;) {
      auto s = reader.next(input.substr(used, there - used));
      used += s.consumed;
      must(used <= there);
      if (s.event == RequestReader::Event::kNeedMore) break;
      if (s.event == RequestReader::Event::kRefused) return out + "!" + reader.refusal().why;
      if (s.event == RequestReader::Event::kHead) {
        check_head(reader.head());
        out += reader.head().path + "\n";
      }
      if (s.event == RequestReader::Event::kBody) out += s.body;
      if (s.event == RequestReader::Event::kEnd) out += "\nend\n";
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  must(play(input, input.size() + 1) == play(input, 1 + data[0]));
  return 0;
}
