# The personal job. What stands between two @ is filled in by peers/workerd.py.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "page", worker = .worker)],
  sockets = [(name = "http", address = "@HOST@:@PORT@", http = (), service = "page")],
);

const worker :Workerd.Worker = (
  compatibilityDate = "@DATE@",
  modules = [
    (name = "worker.js", esModule = embed "@SCRIPT@"),
    (name = "page.html", text = embed "page.html"),
    (name = "parts.json", json = embed "parts.json"),
  ],
);
