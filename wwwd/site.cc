#include "wwwd/site.h"

#include "wwwd/log_in.h"
#include "wwwd/pages.h"
#include "wwwd/static_files.h"
#include "wwwd/visit.h"

namespace wwwd {

Site::Site(const po::Loop& loop, po::Log& log, std::string host, const std::shared_ptr<SetupDesk>& desk)
    : host_(std::move(host)), pipes_(loop, log) {
  add_log_in_pages(routes_,
                   [this](const auto& exchange, std::string token, std::string path, Parameters fields) {
                     resume(exchange, std::move(token), std::move(path), std::move(fields));
                   });
  add_all_pages(routes_, desk);
}

static Response method_not_allowed() {
  Response response = short_page(405, "Method not allowed", "This page cannot be sent anything.");
  response.fields.emplace_back("Allow", "GET, HEAD");
  return response;
}

static void dispatch(const VisitPtr& visit, const Route& route) {
  const PageFunction& page = visit->request().post() ? route.post : route.get;
  if (!page) return visit->answer(method_not_allowed());
  if (route.open) return page(visit);
  visit->know([visit, &page] { page(visit); });
}

void Site::on_request(std::shared_ptr<Exchange> exchange) {
  if (auto file = static_file(exchange->request().path)) return exchange->answer(std::move(*file));
  auto found = routes_.find(exchange->request().path);
  if (!found) {
    return exchange->answer(short_page(404, "Not here", "There is no such page.", "/"));
  }
  const Route& route = *found->route;
  dispatch(std::make_shared<Visit>(std::move(exchange), pipes_, host_, std::move(*found)), route);
}

std::unique_ptr<BodySink> Site::stream_body(const std::shared_ptr<Exchange>& exchange, std::uint64_t length) {
  auto found = routes_.find(exchange->request().path);
  if (!found || !found->route->body) return nullptr;
  const Route& route = *found->route;
  return route.body(std::make_shared<Visit>(exchange, pipes_, host_, std::move(*found)), length);
}

void Site::on_peer(const po::messages::Peer& peer, po::Fd pipe) {
  pipes_.connect(peer.role, std::move(pipe));
}

bool Site::hopeless(std::chrono::steady_clock::time_point now) const {
  return pipes_.hopeless(now);
}

void Site::resume(const std::shared_ptr<Exchange>& exchange, std::string token, std::string path,
                  Parameters fields) {
  Request& request = exchange->request();
  std::size_t query = path.find('?');
  request.query = query == std::string::npos
                      ? Parameters{}
                      : parse_parameters(std::string_view(path).substr(query + 1)).value_or(Parameters{});
  auto decoded = parse_path(std::string_view(path).substr(0, query));
  auto found = decoded ? routes_.find(*decoded) : std::nullopt;
  bool again = found && found->route->resumes && found->route->post;
  auto visit = std::make_shared<Visit>(exchange, pipes_, host_, found.value_or(Routes::Found{}));
  visit->adopt_token(std::move(token));
  if (!again) return visit->see_other(path);
  request.path = *decoded;
  request.form = std::move(fields);
  visit->set_resumed();
  dispatch(visit, *found->route);
}

}  // namespace wwwd
