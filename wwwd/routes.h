// Which page answers which path: a table of patterns, filled by the page files when the process starts. Pure.
// Callers: Site.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wwwd/handler.h"

namespace wwwd {

class Visit;

/// Answers the visit, now or later. Who visits is known, unless the route is open.
using PageFunction = std::function<void(const std::shared_ptr<Visit>&)>;
/// Takes the body of a POST piece by piece. Who visits is not known yet: Visit::know().
using BodyFunction =
    std::function<std::unique_ptr<BodySink>(const std::shared_ptr<Visit>&, std::uint64_t length)>;

struct Route {
  /// "/accounts/:/history": `:` is one segment that is a number (1 to 2^63) and `*` any one segment.
  std::string_view pattern;
  PageFunction get;        ///< GET and HEAD
  PageFunction post = {};  ///< nothing: 405
  bool open = false;       ///< for everybody; else only for who is logged in
  /// `post` can show again what was sent with a dead session (Visit::resumed()).
  bool resumes = false;
  BodyFunction body = {};  ///< with this, a POST is taken by it, and `post` is not called
};

class Routes {
 public:
  void add(Route route) { routes_.push_back(std::move(route)); }

  struct Found {
    const Route* route = nullptr;
    std::vector<std::string> parts;  ///< what stood for `:` and `*`
  };
  /// By the decoded path. Patterns without `:` and `*` go before those with.
  [[nodiscard]] std::optional<Found> find(std::string_view path) const;

 private:
  std::vector<Route> routes_;
};

/// Digits alone, from 1 to 2^63 - 1.
[[nodiscard]] std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace wwwd
