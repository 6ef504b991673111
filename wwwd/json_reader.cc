#include "wwwd/json_reader.h"

// What RapidJSON would assert is a bug of ours.
#define RAPIDJSON_ASSERT(x)  \
  do {                       \
    if (!(x)) po::panic(#x); \
  } while (false)
#define RAPIDJSON_HAS_STDSTRING 0
#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <limits>
#include <optional>

namespace wwwd {

const Json& Json::operator[](std::string_view name) const {
  static const Json kNone;
  for (const auto& [key, value] : members_)
    if (key == name) return value;
  return kNone;
}

/// Takes RapidJSON's events. Each returns whether to go on; `over` says which bound was met.
class JsonBuilder {
 public:
  bool Null() { return put({}); }
  bool Bool(bool b) {
    Json value;
    value.type_ = Json::Type::kBool;
    value.integer_ = b ? 1 : 0;
    return put(std::move(value));
  }
  bool Int(int i) { return number(i); }
  bool Uint(unsigned u) { return number(u); }
  bool Int64(std::int64_t i) { return number(i); }
  bool Uint64(std::uint64_t u) {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return number(static_cast<std::int64_t>(u < kMost ? u : kMost));
  }
  bool Double(double d) { return number(whole(d)); }
  bool RawNumber(const char* /*text*/, rapidjson::SizeType /*length*/, bool /*copy*/) { return false; }
  bool String(const char* text, rapidjson::SizeType length, bool /*copy*/) {
    Json value;
    value.type_ = Json::Type::kString;
    value.text_.assign(text, length);
    return put(std::move(value));
  }
  bool Key(const char* text, rapidjson::SizeType length, bool /*copy*/) {
    keys_.back().assign(text, length);
    return true;
  }
  bool StartObject() { return begin(Json::Type::kObject); }
  bool StartArray() { return begin(Json::Type::kArray); }
  bool EndObject(rapidjson::SizeType /*count*/) { return end(); }
  bool EndArray(rapidjson::SizeType /*count*/) { return end(); }

  const char* over = nullptr;
  Json take() { return std::move(root_); }

 private:
  static std::int64_t whole(double d) {
    constexpr double kMost = 9.2e18;
    return static_cast<std::int64_t>(d > kMost ? kMost : d < -kMost ? -kMost : d);
  }
  bool number(std::int64_t integer) {
    Json value;
    value.type_ = Json::Type::kNumber;
    value.integer_ = integer;
    return put(std::move(value));
  }
  bool counted() {
    if (++values_ <= kMostJsonValues) return true;
    over = "too many values";
    return false;
  }
  bool begin(Json::Type type) {
    if (open_.size() >= kMostJsonDepth) over = "too deep";
    if (over != nullptr) return false;
    open_.emplace_back().type_ = type;
    keys_.emplace_back();
    return counted();
  }
  bool end() {
    Json done = std::move(open_.back());
    open_.pop_back();
    keys_.pop_back();
    add(std::move(done));
    return true;
  }
  bool put(Json value) {
    add(std::move(value));
    return counted();
  }
  void add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().type_ == Json::Type::kObject) {
      open_.back().members_.emplace_back(std::move(keys_.back()), std::move(value));
    } else {
      open_.back().items_.push_back(std::move(value));
    }
  }

  Json root_;
  std::vector<Json> open_;         ///< the outermost first
  std::vector<std::string> keys_;  ///< of each: the member that comes next
  std::size_t values_ = 0;
};

po::Result<Json> parse_json(std::string_view text) {
  if (text.size() > kMostJson) return po::permanent("JSON: too long");
  // RapidJSON takes it for the end.
  if (text.find('\0') != std::string_view::npos) return po::permanent("JSON: an octet that is 0");
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  JsonBuilder builder;
  constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag;
  rapidjson::ParseResult result = reader.Parse<kFlags>(stream, builder);
  if (!result.IsError()) return builder.take();
  const char* why = builder.over != nullptr ? builder.over : rapidjson::GetParseError_En(result.Code());
  return po::permanent(fmt::format("JSON, at octet {}: {}", result.Offset(), why));
}

po::Result<std::vector<Json>> parse_json_lines(std::string_view text) {
  if (text.size() > kMostJson) return po::permanent("JSON: too long");
  std::vector<Json> out;
  for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (line.empty()) continue;
    auto value = parse_json(line);
    if (!value) return tl::unexpected(value.error());
    out.push_back(std::move(*value));
  }
  return out;
}

}  // namespace wwwd
