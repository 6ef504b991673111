// The DATA framing on any octets: whole and cut in two at any place it must say the same.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/dot_decoder.h"
#include "lib/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::size_t cut = data[0] % size;
  std::string_view in(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (cut > in.size()) cut = in.size();

  po::DotDecoder whole, halves;
  std::string a, b;
  std::size_t consumed_a = whole.feed(in, a);
  std::size_t consumed_b = halves.feed(in.substr(0, cut), b);
  if (!halves.ended()) consumed_b += halves.feed(in.substr(cut), b);
  if (a != b || consumed_a != consumed_b || whole.ended() != halves.ended()) po::panic("cut changes content");
  if (!(whole.faults() == halves.faults())) po::panic("cut changes faults");
  if (!whole.ended() && consumed_a != in.size()) po::panic("input left without an end");

  po::CrlfCheck one, two;
  one.feed(in);
  two.feed(in.substr(0, cut));
  two.feed(in.substr(cut));
  if (!(one.faults() == two.faults()) || one.at_line_start() != two.at_line_start())
    po::panic("cut changes the check");
  return 0;
}
