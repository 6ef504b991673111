// Bytes <-> values, for frames and for records on disk. A struct that has a member function
//     auto fields() { return std::tie(a, b, c); }
// is encoded field by field and decoded by the same list, so the two cannot disagree. Integers are
// little-endian of their own width; bool is one octet 0 or 1; an enum is its underlying integer (the struct's
// owner checks the range with `valid_enum`); strings and vectors are a u32 count and the elements; optional
// is a bool and the value. Decoding is for hostile input: it rejects short input, left-over octets, bools
// other than 0 and 1, and counts that the remaining input cannot hold, before any memory is taken for them.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace po::wire {

template <class T>
concept HasFields = requires(T& t) {
  t.fields();
};

/// Specialise to true_type with a static `bool ok(E)` to have the decoder refuse values out of range.
template <class E>
struct valid_enum {
  static bool ok(E) { return true; }
};

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      out_.push_back(value ? '\1' : '\0');
    } else if constexpr (std::is_enum_v<T>) {
      put(static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (std::is_integral_v<T>) {
      char raw[sizeof(T)];
      auto u = static_cast<std::make_unsigned_t<T>>(value);
      for (char& c : raw) {
        c = static_cast<char>(u & 0xff);
        if constexpr (sizeof(T) > 1) u >>= 8;
      }
      out_.append(raw, sizeof raw);
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      put(static_cast<std::uint32_t>(value.size()));
      out_.append(value);
    } else if constexpr (HasFields<T>) {
      std::apply([&](const auto&... f) { (put(f), ...); }, const_cast<T&>(value).fields());
    } else {
      put_container(value);
    }
  }

 private:
  template <class T>
  void put_container(const std::vector<T>& v) {
    put(static_cast<std::uint32_t>(v.size()));
    for (const T& e : v) put(e);
  }
  template <class T>
  void put_container(const std::optional<T>& v) {
    put(v.has_value());
    if (v) put(*v);
  }
  template <class T, std::size_t N>
  void put_container(const std::array<T, N>& v) {
    for (const T& e : v) put(e);
  }

  std::string& out_;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}

  /// True when everything was read and nothing was wrong.
  [[nodiscard]] bool complete() const { return ok_ && in_.empty(); }
  [[nodiscard]] bool ok() const { return ok_; }

  template <class T>
  void get(T& value) {
    if (!ok_) return;
    if constexpr (std::is_same_v<T, bool>) {
      std::uint8_t b = 0;
      get(b);
      if (b > 1) ok_ = false;
      value = b == 1;
    } else if constexpr (std::is_enum_v<T>) {
      std::underlying_type_t<T> raw{};
      get(raw);
      value = static_cast<T>(raw);
      if (ok_ && !valid_enum<T>::ok(value)) ok_ = false;
    } else if constexpr (std::is_integral_v<T>) {
      if (in_.size() < sizeof(T)) {
        ok_ = false;
        return;
      }
      std::make_unsigned_t<T> u = 0;
      for (std::size_t i = sizeof(T); i-- > 0;) {
        if constexpr (sizeof(T) > 1) u <<= 8;
        u = static_cast<decltype(u)>(u | static_cast<unsigned char>(in_[i]));
      }
      value = static_cast<T>(u);
      in_.remove_prefix(sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view>) {
      std::uint32_t n = 0;
      get(n);
      if (!ok_ || n > in_.size()) {
        ok_ = false;
        return;
      }
      value = T(in_.substr(0, n));  // a string_view points into the input, which must outlive it
      in_.remove_prefix(n);
    } else if constexpr (HasFields<T>) {
      std::apply([&](auto&... f) { (get(f), ...); }, value.fields());
    } else {
      get_container(value);
    }
  }

 private:
  template <class T>
  void get_container(std::vector<T>& v) {
    std::uint32_t n = 0;
    get(n);
    if (!ok_ || n > in_.size()) {  // every element takes at least one octet
      ok_ = false;
      return;
    }
    v.clear();
    for (std::uint32_t i = 0; i < n && ok_; ++i) get(v.emplace_back());
  }
  template <class T>
  void get_container(std::optional<T>& v) {
    bool has = false;
    get(has);
    v.reset();
    if (ok_ && has) get(v.emplace());
  }
  template <class T, std::size_t N>
  void get_container(std::array<T, N>& v) {
    for (T& e : v) get(e);
  }

  std::string_view in_;
  bool ok_ = true;
};

template <class T>
[[nodiscard]] std::string encode(const T& value) {
  std::string out;
  Writer(out).put(value);
  return out;
}

/// False if the input is short, too long or malformed; `value` is then unspecified.
template <class T>
[[nodiscard]] bool decode(std::string_view in, T& value) {
  Reader r(in);
  r.get(value);
  return r.complete();
}

}  // namespace po::wire
