import React from "react";
import ReactDOM from "react-dom/client";
import { GraphiQL } from "graphiql";
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import * as graphqlWs from "graphql-ws";
import "graphiql/style.css";
import "./page.css";

globalThis.React = React;
globalThis.ReactDOM = ReactDOM;
globalThis.GraphiQL = Object.assign(GraphiQL, { createFetcher: createGraphiQLFetcher });
globalThis.graphqlWs = graphqlWs;
