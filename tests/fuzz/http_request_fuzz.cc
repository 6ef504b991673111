// Any octets as an HTTP client. The first octet chooses how they are cut. Two readers get them, one at once
// and one in pieces: the same requests must come out. What is served keeps what its checks promise.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "lib/access.h"
#include "lib/net_address.h"
#include "lib/text.h"
#include "wwwd/guard.h"
#include "wwwd/request.h"

using wwwd::RequestReader;

namespace {

void must(bool ok) {
  if (!ok) std::abort();
}

bool is_listed(const wwwd::Policy& policy, std::string_view forwarded) {
  std::string_view text = po::trim(forwarded);
  if (text.starts_with('[')) {
    text = text.substr(1, text.find(']') - 1);
  } else if (text.find(':') == text.rfind(':')) {
    text = text.substr(0, text.find(':'));
  }
  auto address = po::parse_address(text);
  return address && po::any_match(policy.proxies, *address, {});
}

bool all_are_listed(const wwwd::Policy& policy, const wwwd::Head& head) {
  for (const auto& [name, value] : head.fields) {
    if (name != "x-forwarded-for") continue;
    for (std::string_view rest = value; !rest.empty();) {
      std::size_t comma = rest.find(',');
      if (!is_listed(policy, rest.substr(0, comma))) return false;
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  return true;
}

/// `peer` is a listed proxy. What is behind it counts only as far as listed proxies wrote it.
void check_source(const wwwd::Policy& policy, const po::messages::NetAddress& peer, const wwwd::Head& head) {
  auto source = wwwd::source_of(policy, peer, false, head);
  if (source && po::any_match(policy.proxies, source->client, {})) must(all_are_listed(policy, head));
  wwwd::Head seen = head;
  seen.fields.emplace_back("x-forwarded-for", "192.0.2.1");
  auto own = wwwd::source_of(policy, peer, false, seen);
  must(!own || po::address_text(own->client) == "192.0.2.1");
  must(own || !source);
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
  check_source(policy, peer, head);
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
